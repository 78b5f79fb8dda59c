package kowalski;

import java.io.BufferedInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;

import static java.nio.charset.StandardCharsets.UTF_8;

/** The program's standard streams: new ones for each run, which no program can close. */
final class Streams {
    private static volatile Thread kernel;

    private Streams() {}

    /** For a run that this thread conducts. */
    static void refresh() {
        kernel = Thread.currentThread();
        System.setIn(new BufferedInputStream(new FileInputStream(FileDescriptor.in)) {
            @Override
            public void close() {}
        });
        System.setOut(output(FileDescriptor.out));
        System.setErr(output(FileDescriptor.err));
    }

    /** Say something beside the program, on what it has for standard error. */
    static void say(String text) throws IOException {
        new FileOutputStream(FileDescriptor.err).write(text.getBytes(UTF_8));
    }

    /** Unbuffered, so that both streams come in order. */
    private static PrintStream output(FileDescriptor descriptor) {
        OutputStream file = new FileOutputStream(descriptor) {
            @Override
            public void write(byte[] bytes, int from, int count) throws IOException {
                // No program speaks from here: it is the compiler, of its own stack.
                if (Thread.currentThread() != kernel) super.write(bytes, from, count);
            }
        };
        return new PrintStream(file, true, UTF_8) {
            @Override
            public void close() {
                flush();
            }
        };
    }
}
