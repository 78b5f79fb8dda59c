package kowalski;

import java.lang.reflect.Method;
import java.util.Map;
import jdk.jshell.execution.LocalExecutionControl;
import jdk.jshell.spi.ExecutionControl;
import jdk.jshell.spi.ExecutionControlProvider;
import jdk.jshell.spi.ExecutionEnv;

/** Runs what the shell has compiled, in this process. */
final class Control extends LocalExecutionControl {
    /** How the shell finds it. */
    static final class Provider implements ExecutionControlProvider {
        @Override
        public String name() {
            return "kowalski";
        }

        @Override
        public ExecutionControl generate(ExecutionEnv env, Map<String, String> parameters) {
            return new Control();
        }
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
