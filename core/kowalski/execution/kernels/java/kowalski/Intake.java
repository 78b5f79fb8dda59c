package kowalski;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;
import java.lang.invoke.MethodType;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.Snippet.Kind;
import jdk.jshell.SnippetEvent;

/** Has the shell take many parts at once, where this JDK's shell can be made to. */
final class Intake {
    private static final String JOINT = "jdk/jshell/Joint.class";

    private final JShell shell;
    private Function<List<String>, List<List<SnippetEvent>>> takes = codes -> List.of();
    private Predicate<Collection<Snippet>> forgets = snippets -> false;
    private boolean isSought;

    Intake(JShell shell) {
        this.shell = shell;
    }

    /** Whether a part may be taken with others. */
    static boolean isJoinable(Block.Part part) {
        Kind kind = part.kind();
        return kind == Kind.TYPE_DECL || kind == Kind.METHOD || kind == Kind.VAR || kind == Kind.STATEMENT;
    }

    /**
     * What has happened to as many of the first of them as could be taken together; none were if
     * one of them is wrong. Empty if the compiler can take them by themselves alone, or none of them.
     */
    Optional<List<List<SnippetEvent>>> take(List<String> codes) {
        if (codes.size() < 2) return Optional.empty();
        seek();
        try {
            return Optional.of(takes.apply(codes));
        } catch (RuntimeException | AssertionError | LinkageError | VirtualMachineError failed) {
            // The compiler's own failures are of many kinds; it may do better with one part.
            return Optional.empty();
        }
    }

    /** Have the shell forget what it has taken; whether it could at once. */
    boolean forget(Collection<Snippet> snippets) {
        return forgets.test(snippets);
    }

    @SuppressWarnings("unchecked")
    private void seek() {
        if (isSought) return;
        isSought = true;
        try (InputStream file = Intake.class.getClassLoader().getResourceAsStream(JOINT)) {
            if (file == null) return;
            Lookup within = MethodHandles.privateLookupIn(JShell.class, MethodHandles.lookup());
            Class<?> joint = within.defineClass(file.readAllBytes());
            Object made = within.findConstructor(joint, MethodType.methodType(void.class, JShell.class)).invoke(shell);
            takes = (Function<List<String>, List<List<SnippetEvent>>>) made;
            forgets = (Predicate<Collection<Snippet>>) made;
        } catch (Throwable impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
