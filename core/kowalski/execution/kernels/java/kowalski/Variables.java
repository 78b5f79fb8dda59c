package kowalski;

import java.lang.reflect.Field;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdk.jshell.JShell;
import jdk.jshell.PersistentSnippet;
import jdk.jshell.Snippet.Status;
import jdk.jshell.SnippetEvent;
import jdk.jshell.VarSnippet;

/** What variables hold, kept where the shell would empty them: it does when what they rest on is declared anew. */
final class Variables {
    /** What a variable holds is to be found in another field, since `cause` was declared; null for none. */
    record Move(String name, String cause, Field from, Field to) {}

    private final JShell shell;
    private final Control control;
    private final Map<String, String> forgotten = new LinkedHashMap<>();

    Variables(JShell shell, Control control) {
        this.shell = shell;
        this.control = control;
    }

    /** The fields in which they lie, by their names. */
    Map<String, Field> fields() {
        Map<String, Field> fields = new HashMap<>();
        for (VarSnippet variable : (Iterable<VarSnippet>) shell.variables()::iterator) {
            if (variable.name().startsWith("$")) continue;
            Field field = control.field(shell, variable);
            if (field != null) fields.put(variable.name(), field);
        }
        return fields;
    }

    /** What is to be moved, since the shell has taken something that may be a declaration. */
    List<Move> moves(Map<String, Field> before, List<SnippetEvent> events) {
        String cause = "";
        Map<String, String> causes = new LinkedHashMap<>();
        Deque<SnippetEvent> left = new ArrayDeque<>(events);
        while (!left.isEmpty()) {
            SnippetEvent event = left.remove();
            if (event.status() == Status.OVERWRITTEN || !(event.snippet() instanceof PersistentSnippet)) continue;
            String name = ((PersistentSnippet) event.snippet()).name();
            if (event.causeSnippet() == null) {
                cause = name;
            } else if (event.snippet() instanceof VarSnippet && before.containsKey(name)) {
                VarSnippet variable = (VarSnippet) event.snippet();
                // How it began may be wrong by now; what it is need not be.
                if (shell.status(variable) != Status.VALID) {
                    for (SnippetEvent more : shell.eval(variable.typeName() + " " + name + ";")) {
                        if (more.causeSnippet() != null) left.add(more);
                    }
                }
                causes.put(name, cause);
            }
        }
        Map<String, Field> after = causes.isEmpty() ? Map.of() : fields();
        List<Move> moves = new ArrayList<>();
        causes.forEach((name, why) -> moves.add(new Move(name, why, before.get(name), after.get(name))));
        return moves;
    }

    /** What a block declares itself was not forgotten. */
    void declare(String name) {
        forgotten.remove(name);
    }

    /** Move what a variable holds, as far as its type is what it was. */
    void perform(Move move) {
        try {
            Object value = move.from.get(null);
            boolean isSame = move.to != null && move.to.getGenericType().equals(move.from.getGenericType());
            if (isSame) move.to.set(null, value);
            else if (move.to == null || value != null) forgotten.put(move.name, move.cause);
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Let all hold again what they held in these fields. */
    void restore(Map<String, Field> fields, String cause) {
        fields().forEach((name, now) -> {
            Field before = fields.get(name);
            if (before != null && !before.equals(now)) perform(new Move(name, cause, before, now));
        });
    }

    /** What was forgotten since the last time, a line each, and not declared again since. */
    Collection<String> losses() {
        List<String> told = forgotten.entrySet().stream()
            .map(one -> one.getKey() + " was forgotten, since " + one.getValue() + " was declared anew").toList();
        forgotten.clear();
        return told;
    }
}
