package kowalski;

import java.lang.reflect.Field;
import java.util.ArrayDeque;
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
    /** A variable before the shell took a part. */
    private record Held(Field field, Object value) {}

    private final JShell shell;
    private final Control control;
    private final Map<String, Held> before = new HashMap<>();
    private final Map<String, String> forgotten = new LinkedHashMap<>();

    Variables(JShell shell, Control control) {
        this.shell = shell;
        this.control = control;
    }

    /** Remember what they hold, before the shell takes something that may be a declaration. */
    void remember() throws IllegalAccessException {
        before.clear();
        for (VarSnippet variable : (Iterable<VarSnippet>) shell.variables()::iterator) {
            if (variable.name().startsWith("$")) continue;
            Field field = control.field(shell, variable);
            if (field != null) before.put(variable.name(), new Held(field, field.get(null)));
        }
    }

    /** Put back what the shell has emptied, as far as the variables' types are what they were. */
    void restore(List<SnippetEvent> events) throws IllegalAccessException {
        String cause = "";
        Deque<SnippetEvent> left = new ArrayDeque<>(events);
        while (!left.isEmpty()) {
            SnippetEvent event = left.remove();
            if (event.status() == Status.OVERWRITTEN || !(event.snippet() instanceof PersistentSnippet)) continue;
            String name = ((PersistentSnippet) event.snippet()).name();
            if (event.causeSnippet() == null) {
                cause = name;
                forgotten.remove(name);
            } else if (event.snippet() instanceof VarSnippet && before.containsKey(name)) {
                VarSnippet variable = (VarSnippet) event.snippet();
                // How it began may be wrong by now; what it is need not be.
                if (shell.status(variable) != Status.VALID) {
                    for (SnippetEvent more : shell.eval(variable.typeName() + " " + name + ";")) {
                        if (more.causeSnippet() != null) left.add(more);
                    }
                }
                if (!isPutBack(name)) forgotten.put(name, cause);
            }
        }
        before.clear();
    }

    /** What was forgotten since the last time, a line each, and not declared again since. */
    Collection<String> losses() {
        List<String> told = forgotten.entrySet().stream()
            .map(one -> one.getKey() + " was forgotten, since " + one.getValue() + " was declared anew").toList();
        forgotten.clear();
        return told;
    }

    private boolean isPutBack(String name) throws IllegalAccessException {
        Held held = before.get(name);
        VarSnippet variable = shell.variables().filter(one -> one.name().equals(name)).findFirst().orElse(null);
        Field field = variable == null ? null : control.field(shell, variable);
        if (field == null) return false;
        if (!field.getGenericType().equals(held.field.getGenericType())) return held.value == null;
        field.set(null, held.value);
        return true;
    }
}
