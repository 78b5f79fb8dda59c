package kowalski;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** What the compiler found wrong with a block. */
final class CompileErrors {
    private static final int MOST_TOLD = 20;
    private static final int MOST_LISTED = 50;

    private final Block block;
    private final StringBuilder listing = new StringBuilder();
    private final List<Failure.Message> messages = new ArrayList<>();
    private Block.Place first;
    private String message = "";
    private int count;

    CompileErrors(Block block) {
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

    boolean isEmpty() {
        return count == 0;
    }

    /** One error, at an offset of the block. `type` is the compiler's name for it, or "". */
    void add(int offset, String type, String told) {
        // The classes that the kernel wraps around code are nobody's business.
        String said = told.lines().filter(line -> !line.strip().startsWith("location:"))
            .collect(Collectors.joining("\n"));
        Block.Place place = block.place(offset);
        if (count++ == 0) {
            first = place;
            message = said.lines().map(String::strip).collect(Collectors.joining(", "))
                .replaceAll(",?\\s+symbol:\\s+", ": ");
        }
        if (count <= MOST_LISTED) {
            messages.add(new Failure.Message(type, said, place.line(), place.column()));
        }
        if (count > MOST_TOLD) return;
        String text = block.text(place.line());
        String before = text.substring(0, text.offsetByCodePoints(0, place.column() - 1));
        listing.append(block.label).append(':').append(place.line()).append(':')
            .append(place.column()).append(": error: ").append(said).append('\n')
            .append(text).append('\n').append(before.replaceAll("[^\\t]", " ")).append("^\n");
    }

    Failure failure() {
        String more = count == 1 ? "" : " (and " + (count - 1) + " more)";
        String all = listing.toString().stripTrailing();
        return new Failure("CompileError", message + more, first.line(), first.column(), all, messages);
    }
}
