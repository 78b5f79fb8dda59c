package kowalski;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What the compiler says of a block. */
final class Findings {
    // What `javac` says by default, with a place where it would only count.
    static final String LINT = "-Xlint:deprecation,rawtypes,unchecked";

    private static final int MOST_TOLD = 20;
    private static final int MOST_LISTED = 50;

    private static final Pattern UNKNOWN = Pattern.compile("compiler\\.err\\.(?:cant\\.resolve|doesnt\\.exist)");
    private static final Pattern MISSING = Pattern.compile("(?:symbol:\\s+\\w+|package) ([\\w$]+)");

    private final Block block;
    private final List<Failure.Message> errors = new ArrayList<>();
    private final List<Failure.Message> warnings = new ArrayList<>();

    Findings(Block block) {
        this.block = block;
    }

    /** Whether the compiler itself has come to its stack's end, as it or its shell tells it. */
    static boolean isTooDeep(Throwable thrown) {
        return String.valueOf(thrown).contains(StackOverflowError.class.getName());
    }

    static Failure tooDeep() {
        return new Failure(
            "CompileError", "the code is nested too deeply for the compiler", 0, 0, "");
    }

    boolean hasErrors() {
        return !errors.isEmpty();
    }

    /** An error, at an offset of the block. `type` is the compiler's name for it, or "". */
    void error(int offset, String type, String told) {
        note(errors, message("error", offset, type, told));
    }

    /** A warning; the others as for an error. */
    void warning(int offset, String type, String told) {
        note(warnings, message("warning", offset, type, told));
    }

    /** Whether what is wrong may be right before code that follows, since that names what was not found. */
    boolean isMendedBy(String code) {
        for (Failure.Message one : errors) {
            Matcher missing = MISSING.matcher(one.message());
            if (!UNKNOWN.matcher(one.type()).lookingAt() || !missing.find()) continue;
            if (Pattern.compile("\\b" + Pattern.quote(missing.group(1)) + "\\b").matcher(code).find()) return true;
        }
        return false;
    }

    /** Errors before warnings. */
    List<Failure.Message> messages() {
        List<Failure.Message> all = new ArrayList<>(errors);
        all.addAll(warnings);
        return all.size() > MOST_LISTED ? all.subList(0, MOST_LISTED) : all;
    }

    /** What is found, with the lines that it is about; "" for nothing. */
    String listing() {
        return messages().stream().limit(MOST_TOLD).map(this::drawn).collect(Collectors.joining());
    }

    Failure failure() {
        Failure.Message first = errors.get(0);
        String more = errors.size() == 1 ? "" : " (and " + (errors.size() - 1) + " more)";
        String message = first.message().lines().map(String::strip).collect(Collectors.joining(", "))
            .replaceAll(",?\\s+symbol:\\s+", ": ");
        return new Failure("CompileError", message + more,
            first.line(), first.column(), listing().stripTrailing(), messages());
    }

    /** The shell writes code more than once around what it makes of it. */
    private static void note(List<Failure.Message> messages, Failure.Message one) {
        if (!messages.contains(one)) messages.add(one);
    }

    private Failure.Message message(String severity, int offset, String type, String told) {
        // The classes that the kernel wraps around code are nobody's business.
        String said = told.lines().filter(line -> !line.strip().startsWith("location:"))
            .collect(Collectors.joining("\n")).replace(" in  has been", " has been");
        Block.Place place = block.place(offset);
        return new Failure.Message(severity, type, said, place.line(), place.column());
    }

    private String drawn(Failure.Message one) {
        String text = block.text(one.line());
        String before = text.substring(0, text.offsetByCodePoints(0, one.column() - 1));
        return block.label + ":" + one.line() + ":" + one.column() + ": " + one.severity() + ": "
            + one.message() + "\n" + text + "\n" + before.replaceAll("[^\\t]", " ") + "^\n";
    }
}
