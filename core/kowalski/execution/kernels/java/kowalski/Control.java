package kowalski;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Map;
import jdk.jshell.JShell;
import jdk.jshell.Snippet.Status;
import jdk.jshell.VarSnippet;
import jdk.jshell.execution.LocalExecutionControl;
import jdk.jshell.spi.ExecutionControl;
import jdk.jshell.spi.ExecutionControlProvider;
import jdk.jshell.spi.ExecutionEnv;

/** Runs what the shell has compiled, in this process. */
final class Control extends LocalExecutionControl {
    /** How the shell finds it. */
    static final class Provider implements ExecutionControlProvider {
        private final Control control;

        Provider(Control control) {
            this.control = control;
        }

        @Override
        public String name() {
            return "kowalski";
        }

        @Override
        public ExecutionControl generate(ExecutionEnv env, Map<String, String> parameters) {
            return control;
        }
    }

    private boolean isSought;
    private Field found;

    /** The field in which a variable lies; null for one that has none. */
    Field field(JShell shell, VarSnippet variable) {
        if (shell.status(variable) != Status.VALID) return null;
        found = null;
        isSought = true;
        try {
            // The shell alone knows which class it has made for it.
            shell.varValue(variable);
            return found;
        } finally {
            isSought = false;
            found = null;
        }
    }

    @Override
    public String varValue(String type, String name)
            throws RunException, EngineTerminationException, InternalException {
        if (!isSought) return super.varValue(type, name);
        try {
            found = findClass(type).getDeclaredField(name);
            found.setAccessible(true);
        } catch (ReflectiveOperationException none) {
            throw new InternalException(none.toString());
        }
        return "";
    }

    @Override
    public void load(ClassBytecodes[] classes)
            throws ClassInstallException, NotImplementedException, EngineTerminationException {
        ClassBytecodes[] changed = new ClassBytecodes[classes.length];
        for (int i = 0; i < classes.length; i++) {
            changed[i] = new ClassBytecodes(classes[i].name(), Exits.redirected(classes[i].bytecodes()));
        }
        super.load(changed);
    }

    @Override
    protected String invoke(Method compiled) throws Exception {
        return super.invoke(Turn.of(compiled));
    }
}
