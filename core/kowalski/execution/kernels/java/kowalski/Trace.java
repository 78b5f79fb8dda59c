package kowalski;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** An exception with its causes, told with the lines of blocks and without the kernel's frames. */
final class Trace {
    private static final int MOST_FRAMES = 20;
    private static final int MOST_CAUSES = 20;
    private static final long MEGABYTE = 1 << 20;

    private final String label;
    private final Predicate<StackTraceElement> isOwn;
    private final StringBuilder listing = new StringBuilder();

    /** `isOwn` tells whether a frame is one of the block that is called `label`. */
    Trace(String label, Predicate<StackTraceElement> isOwn) {
        this.label = label;
        this.isOwn = isOwn;
    }

    /** The failure that it is; its line is where the block itself was. */
    Failure of(Throwable thrown) {
        int line = 0;
        List<StackTraceElement> first = frames(thrown);
        for (int i = 0; i < first.size() && line == 0; i++) {
            if (isOwn.test(first.get(i))) line = first.get(i).getLineNumber();
        }
        Throwable at = thrown;
        for (int i = 0; at != null && i < MOST_CAUSES; i++, at = at.getCause()) {
            if (i > 0) listing.append("Caused by: ");
            list(at);
        }
        return new Failure(
            thrown.getClass().getName(), message(thrown), line, 0, listing.toString().stripTrailing());
    }

    private void list(Throwable thrown) {
        String message = message(thrown);
        List<StackTraceElement> frames = frames(thrown);
        listing.append(thrown.getClass().getName()).append(message.isEmpty() ? "" : ": " + message).append('\n');
        for (int i = 0; i < frames.size() && i < MOST_FRAMES; i++) listing.append(told(frames.get(i)));
        int left = frames.size() - MOST_FRAMES;
        if (left > 0) listing.append("    ... ").append(left).append(" more\n");
    }

    private static List<StackTraceElement> frames(Throwable thrown) {
        List<StackTraceElement> frames = new ArrayList<>();
        for (StackTraceElement frame : thrown.getStackTrace()) {
            if (!isOurs(frame)) frames.add(frame);
            else if (!frames.isEmpty()) break;
        }
        return frames;
    }

    private static String message(Throwable thrown) {
        String said = thrown.getMessage() == null ? "" : thrown.getMessage();
        return thrown instanceof OutOfMemoryError ? said + limit() : said;
    }

    private static String limit() {
        long heap = Runtime.getRuntime().maxMemory() / MEGABYTE;
        String limit = System.getProperty("kowalski.memory_mb");
        return " (the heap may take " + heap + " MB of the run's " + limit + " MB, its memory limit)";
    }

    private static boolean isOurs(StackTraceElement frame) {
        String name = frame.getClassName();
        return name.startsWith("kowalski.") || name.startsWith("jdk.internal.reflect.")
            || name.startsWith("java.lang.reflect.") || name.startsWith("jdk.jshell.")
            // The machine hides these, but where memory has run out.
            || name.startsWith("java.lang.invoke.") && frame.getLineNumber() < 0;
    }

    private String told(StackTraceElement frame) {
        String file = frame.getFileName();
        if (isOwn.test(frame)) file = label;
        // An earlier block of the same name, which was the first one.
        else if (label.equals(file)) file += " (1)";
        String where = file + ":" + frame.getLineNumber();
        String what = Names.told(frame.getClassName(), frame.getMethodName());
        return "    at " + (what.isEmpty() ? where : what + "(" + where + ")") + "\n";
    }
}
