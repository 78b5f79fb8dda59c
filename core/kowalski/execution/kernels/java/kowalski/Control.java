package kowalski;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.Snippet.Status;
import jdk.jshell.VarSnippet;
import jdk.jshell.execution.LocalExecutionControl;
import jdk.jshell.spi.ExecutionControl;
import jdk.jshell.spi.ExecutionControlProvider;
import jdk.jshell.spi.ExecutionEnv;

/** Takes what the shell has compiled, and runs it in this process when it is told to. */
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

    /** What the shell wants to have run, by the names that it knows. */
    record Call(String type, String method) {}

    private final Loader loader;
    private List<Call> calls = new ArrayList<>();
    private Throwable problem;
    private boolean isSought;
    private Field found;

    Control(Loader loader) {
        super(loader);
        this.loader = loader;
    }

    /** What is to be run for a snippet that the shell has compiled. */
    static Call call(JShell shell, Snippet snippet) {
        return new Call(shell.sourceCodeAnalysis().wrapper(snippet).fullClassName(), Names.MAIN);
    }

    /** What the shell wanted to have run since the last time. */
    List<Call> calls() {
        List<Call> taken = calls;
        calls = new ArrayList<>();
        return taken;
    }

    /** Run it now; its value as text. Throws what the program does. */
    String perform(Call call) throws Throwable {
        problem = null;
        try {
            return super.invoke(call.type, Names.MAIN);
        } catch (StoppedException stopped) {
            return null;
        } catch (ExecutionControlException told) {
            throw problem == null ? told : problem;
        }
    }

    /** Run the `main` of a class that the shell has compiled. Throws what the program does. */
    void launch(String type, boolean isGiven) throws Throwable {
        Method main = Turn.of(Launch.of(findClass(type), isGiven));
        clientCodeEnter();
        try {
            super.invoke(main);
        } catch (StoppedException stopped) {
            return;
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        } finally {
            clientCodeLeave();
        }
    }

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
    public String invoke(String type, String method) {
        calls.add(new Call(type, method));
        return "";
    }

    @Override
    protected String invoke(Method compiled) throws Exception {
        return super.invoke(Turn.of(Launch.of(compiled)));
    }

    @Override
    protected String throwConvertedInvocationException(Throwable thrown) throws RunException, InternalException {
        problem = thrown;
        return super.throwConvertedInvocationException(thrown);
    }

    @Override
    protected String throwConvertedOtherException(Throwable thrown) throws RunException, InternalException {
        problem = thrown;
        return super.throwConvertedOtherException(thrown);
    }
}
