package kowalski;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** An exception with its causes, told with the lines of blocks and without the kernel's frames. */
final class Trace {
    private static final int MOST_FRAMES = 20;
    private static final long MEGABYTE = 1 << 20;

    private final UnaryOperator<StackTraceElement> located;
    private final StringBuilder listing = new StringBuilder();
    private String type;
    private String message;
    private int line;

    /** `located` tells where in a block a frame is; null for one to leave out. */
    Trace(UnaryOperator<StackTraceElement> located) {
        this.located = located;
    }

    /** The exception, or the cause of the one before. */
    void add(String type, String said, StackTraceElement[] stack) {
        String message = said == null ? "" : said;
        if (type.equals("java.lang.OutOfMemoryError")) message += limit();
        List<StackTraceElement> frames = new ArrayList<>();
        for (StackTraceElement frame : stack) {
            if (isOurs(frame) && frames.isEmpty()) continue;
            if (isOurs(frame)) break;
            StackTraceElement place = located.apply(frame);
            if (place != null) frames.add(place);
        }
        if (this.type == null) {
            this.type = type;
            this.message = message;
            for (int i = 0; i < frames.size() && line == 0; i++) {
                if (isBlocks(frames.get(i))) line = frames.get(i).getLineNumber();
            }
        } else {
            listing.append("Caused by: ");
        }
        listing.append(type).append(message.isEmpty() ? "" : ": " + message).append('\n');
        for (int i = 0; i < frames.size() && i < MOST_FRAMES; i++) listing.append(told(frames.get(i)));
        int left = frames.size() - MOST_FRAMES;
        if (left > 0) listing.append("    ... ").append(left).append(" more\n");
    }

    Failure failure() {
        return new Failure(type, message, line, 0, listing.toString().stripTrailing());
    }

    private static String limit() {
        long heap = Runtime.getRuntime().maxMemory() / MEGABYTE;
        String limit = System.getProperty("kowalski.memory_mb");
        return " (the heap may take " + heap + " MB of the run's " + limit + " MB, its memory limit)";
    }

    private static boolean isOurs(StackTraceElement frame) {
        String name = frame.getClassName();
        return name.startsWith("kowalski.") || name.startsWith("jdk.internal.reflect.")
            || name.startsWith("java.lang.reflect.") || name.startsWith("jdk.jshell.");
    }

    private static boolean isBlocks(StackTraceElement frame) {
        return frame.getModuleName() == null;
    }

    private static String told(StackTraceElement frame) {
        String name = frame.getClassName().replaceFirst("^REPL\\.\\$JShell\\$\\w+\\$?", "");
        String what = name.isEmpty() || frame.getMethodName().isEmpty()
            ? frame.getMethodName() : name + "." + frame.getMethodName();
        String where = frame.getFileName() + ":" + frame.getLineNumber();
        return "    at " + (what.isEmpty() ? where : what + "(" + where + ")") + "\n";
    }
}
