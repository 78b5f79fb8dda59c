package kowalski;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import sun.misc.Signal;

/** The Java kernel: executes blocks one after the other, in one process that remembers. */
public final class Kernel {
    private static final int INTERRUPTED = 130;
    private static final String[] WARMING = {
        "{ int warm = 1; System.out.print(\"\"); }",
        "class Warm$ { public static void main(String[] arguments) { System.out.print(\"\"); } }",
    };

    private final Channel channel;
    private final Repl repl = new Repl(this::warn, this::begin);
    private final Program program = new Program(this::warn, this::begin);
    private boolean begun = true;
    private volatile boolean running;
    private volatile boolean interrupted;

    private Kernel(Channel channel) throws IOException {
        this.channel = channel;
    }

    public static void main(String[] arguments) throws Exception {
        Kernel kernel = new Kernel(new Channel());
        Signal.handle(new Signal("INT"), signal -> kernel.interrupt());
        Host.reach(kernel.channel);
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
            execute(new Block("warm", code, repl.analysis()), true, false);
        }
    }

    /** Hear the agent; what takes time is done elsewhere, so that answers are heard meanwhile. */
    private void serve() throws IOException {
        ExecutorService work = Executors.newSingleThreadExecutor();
        boolean last = false;
        List<String> words = List.of();
        for (Channel.Frame frame = channel.receive(); frame != null; frame = channel.receive()) {
            Channel.Frame heard = frame;
            boolean alone = last;
            List<String> arguments = words;
            last = frame.kind().equals("last");
            if (frame.kind().equals("answer")) {
                Host.answer(frame.field(0), frame.field(1), frame.field(2));
            } else if (frame.kind().equals("variables")) {
                work.submit(() -> variables());
            } else if (frame.kind().equals("program")) {
                words = frame.fields().subList(2, frame.fields().size());
            } else if (frame.kind().equals("run")) {
                words = List.of();
                work.submit(() -> run(heard, arguments, alone));
            }
        }
    }

    private Void variables() throws IOException {
        channel.send("variables", repl.variables());
        return null;
    }

    private Void run(Channel.Frame frame, List<String> arguments, boolean last)
            throws IOException, InterruptedException {
        int code = 1;
        Arguments.set(arguments);
        try {
            code = attempt(frame, last);
        } finally {
            // Whatever a program has done to its JVM, the agent hears that it is over.
            channel.send("done", String.valueOf(code));
        }
        return null;
    }

    private int attempt(Channel.Frame frame, boolean last) throws IOException, InterruptedException {
        Exits.expect(last);
        interrupted = false;
        running = true;
        begun = true;
        int code = 0;
        try {
            Streams.refresh();
            Block block = new Block(frame.field(1), frame.field(0), repl.analysis());
            // A class of a program's own would not see what is given.
            boolean isGiven = furnish(frame);
            begun = false;
            String value = execute(block, last, isGiven);
            if (last) Turn.awaitOthers();
            if (value != null && Exits.code() == null) channel.send("value", value);
        } catch (Failure failure) {
            code = 1;
            if (!interrupted && Exits.code() == null) tell(failure);
        } catch (Error | RuntimeException thrown) {
            // Such as a lack of memory, which strikes the compiler too.
            code = 1;
            Failure failure = new Trace(frame.field(1), place -> false).of(thrown);
            tell(Findings.isTooDeep(thrown) ? Findings.tooDeep() : failure);
        }
        for (String loss : repl.losses()) Streams.say(loss + "\n");
        running = false;
        if (interrupted) {
            tell(new Failure("KeyboardInterrupt", "interrupted", 0, 0, ""));
            return INTERRUPTED;
        }
        return Exits.code() != null ? Exits.code() : code;
    }

    /** Give the program what its caller offers; whether there is anything. */
    private boolean furnish(Channel.Frame frame) throws Failure {
        String functions = frame.field(2);
        if (!functions.isEmpty()) for (String name : functions.split(" ")) repl.offer(name);
        for (int i = 3; i + 1 < frame.fields().size(); i += 2) repl.give(frame.field(i), frame.field(i + 1));
        return !functions.isEmpty() || frame.fields().size() > 3;
    }

    private String execute(Block block, boolean isLast, boolean isGiven) throws Failure {
        if (block.isPackaged() || isLast && !isGiven && block.isProgram()) {
            program.run(block);
            return null;
        }
        BooleanSupplier over = () -> interrupted || Exits.code() != null;
        return repl.run(block, isLast, over);
    }

    private void interrupt() {
        if (!running) return;
        interrupted = true;
        repl.stop();
        Turn.stop();
    }

    private void tell(Failure failure) throws IOException {
        describe(failure.messages);
        channel.send("error", failure.type, failure.getMessage(),
            number(failure.line), number(failure.column), failure.traceback);
    }

    /** Tell once that the program begins. */
    private void begin() {
        if (begun) return;
        begun = true;
        try {
            channel.send("built");
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    /** Tell what the compiler says of code that it took. */
    private void warn(Findings found) {
        try {
            Streams.say(found.listing());
            describe(found.messages());
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    private void describe(List<Failure.Message> messages) throws IOException {
        for (Failure.Message one : messages) {
            channel.send("diagnostic", one.severity(),
                one.type(), one.message(), number(one.line()), number(one.column()));
        }
    }

    private static String number(int known) {
        return known > 0 ? String.valueOf(known) : "";
    }
}
