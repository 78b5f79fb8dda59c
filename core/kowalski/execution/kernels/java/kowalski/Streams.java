package kowalski;

import java.io.BufferedInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.PrintStream;

import static java.nio.charset.StandardCharsets.UTF_8;

/** The program's standard streams: new ones for each run, which no program can close. */
final class Streams {
    private Streams() {}

    static void refresh() {
        System.setIn(new BufferedInputStream(new FileInputStream(FileDescriptor.in)) {
            @Override
            public void close() {}
        });
        System.setOut(output(FileDescriptor.out));
        System.setErr(output(FileDescriptor.err));
    }

    /** Unbuffered, so that both streams come in order. */
    private static PrintStream output(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), true, UTF_8) {
            @Override
            public void close() {
                flush();
            }
        };
    }
}
