package kowalski;

import java.io.IOException;
import sun.misc.Signal;

/** The Java kernel: executes blocks one after the other, in one process that remembers. */
public final class Kernel {
    private static final int INTERRUPTED = 130;
    private static final String[] WARMING = {
        "{ int warm = 1; System.out.print(\"\"); }",
        "class Warm { public static void main(String[] arguments) { System.out.print(\"\"); } }",
    };

    private final Channel channel;
    private final Repl repl = new Repl();
    private final Program program = new Program();
    private volatile boolean running;
    private volatile boolean interrupted;

    private Kernel(Channel channel) throws IOException {
        this.channel = channel;
    }

    public static void main(String[] arguments) throws Exception {
        Kernel kernel = new Kernel(new Channel());
        Signal.handle(new Signal("INT"), signal -> kernel.interrupt());
        kernel.warm();
        if (arguments.length > 0) System.exit(0);
        kernel.channel.send("hello", System.getProperty("java.version"));
        kernel.serve();
        // Threads that programs have left would keep it.
        System.exit(0);
    }

    /** Load and heat what the first run will need. */
    private void warm() throws Exception {
        Streams.refresh();
        for (String code : WARMING) {
            Exits.expect(true);
            execute(new Block("warm", code, repl.analysis()), true);
        }
    }

    private void serve() throws IOException, InterruptedException {
        boolean last = false;
        for (Channel.Frame frame = channel.receive(); frame != null; frame = channel.receive()) {
            if (frame.kind().equals("last")) last = true;
            else if (frame.kind().equals("variables")) channel.send("variables", repl.variables());
            else if (frame.kind().equals("run")) {
                run(frame, last);
                last = false;
            }
        }
    }

    private void run(Channel.Frame frame, boolean last) throws IOException, InterruptedException {
        Streams.refresh();
        Exits.expect(last);
        interrupted = false;
        running = true;
        int code = 0;
        try {
            Block block = new Block(frame.field(1), frame.field(0), repl.analysis());
            String value = execute(block, last);
            if (last) Turn.awaitOthers();
            if (value != null && Exits.code() == null) channel.send("value", value);
        } catch (Failure failure) {
            code = 1;
            if (!interrupted && Exits.code() == null) tell(failure);
        } catch (Error | RuntimeException thrown) {
            // Such as a lack of memory, which strikes the compiler too.
            code = 1;
            Trace trace = new Trace(place -> place);
            trace.add(thrown.getClass().getName(), thrown.getMessage(), thrown.getStackTrace());
            tell(trace.failure());
        }
        running = false;
        if (interrupted) {
            code = INTERRUPTED;
            tell(new Failure("KeyboardInterrupt", "interrupted", 0, 0, ""));
        } else if (Exits.code() != null) {
            code = Exits.code();
        }
        Streams.flush();
        channel.send("done", String.valueOf(code));
    }

    private String execute(Block block, boolean last) throws Failure {
        if (block.isPackaged() || last && block.isProgram()) {
            program.run(block);
            return null;
        }
        String value = repl.run(block, () -> interrupted || Exits.code() != null);
        String call = block.mainCall();
        if (call == null || interrupted || Exits.code() != null) return value;
        repl.run(block, call);
        return null;
    }

    private void interrupt() {
        if (!running) return;
        interrupted = true;
        repl.stop();
        Turn.stop();
    }

    private void tell(Failure failure) throws IOException {
        String line = failure.line > 0 ? String.valueOf(failure.line) : "";
        String column = failure.column > 0 ? String.valueOf(failure.column) : "";
        channel.send("error", failure.type, failure.getMessage(), line, column, failure.traceback);
    }
}
