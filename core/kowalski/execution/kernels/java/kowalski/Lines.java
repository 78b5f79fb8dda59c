package kowalski;

import jdk.jshell.Snippet.Kind;
import jdk.jshell.SourceCodeAnalysis.SnippetWrapper;

/** The lines of a block for those of a class that the shell has put around parts of it. */
final class Lines {
    // Of a line's end, and of what the shell puts before each declaration.
    private static final int INDENT = 5;

    private final Block block;
    private final String file;
    private final int[] lines;

    /** For the text of a class; `file` is what the block is called in traces. */
    Lines(Block block, String file, String wrapped) {
        this.block = block;
        this.file = file;
        lines = new int[2 + (int) wrapped.chars().filter(c -> c == '\n').count()];
    }

    Block block() {
        return block;
    }

    String file() {
        return file;
    }

    /** The block's line for one of the class's. */
    int line(int wrappedLine) {
        int at = Math.min(wrappedLine, lines.length - 1);
        while (at > 0 && lines[at] == 0) at--;
        for (int next = at; at == 0 && next < lines.length; next++) {
            if (lines[next] != 0) return lines[next];
        }
        return at == 0 ? 1 : lines[at];
    }

    /** Take in a part that the class is around, whose first line is `first`. */
    void add(SnippetWrapper wrapper, int first) {
        boolean isCopied = wrapper.kind() == Kind.METHOD || wrapper.kind() == Kind.TYPE_DECL;
        if (!isCopied || !copied(wrapper.wrapped(), wrapper.source().stripTrailing(), first)) mapped(wrapper, first);
    }

    /** What stands there as a whole, but for modifiers and comments: several methods may. */
    private boolean copied(String wrapped, String source, int first) {
        int line = line(wrapped, body(wrapped));
        for (int at = body(wrapped); at >= 0; at = wrapped.indexOf('\n', at + 1)) {
            line++;
            if (!isCopy(wrapped, source, at + INDENT)) continue;
            for (int i = 0; i < source.lines().count(); i++) lines[line + i] = first + i;
            return true;
        }
        return false;
    }

    private static boolean isCopy(String wrapped, String source, int start) {
        if (start + source.length() > wrapped.length()) return false;
        for (int i = 0; i < source.length(); i++) {
            char there = wrapped.charAt(start + i);
            if (there != source.charAt(i) && there != ' ') return false;
        }
        return true;
    }

    /** What was taken apart. */
    private void mapped(SnippetWrapper wrapper, int first) {
        String wrapped = wrapper.wrapped();
        String source = wrapper.source();
        int line = line(wrapped, body(wrapped));
        for (int i = body(wrapped); i < wrapped.length(); i++) {
            if (wrapped.charAt(i) == '\n') line++;
            else if (lines[line] == 0) {
                int at = wrapper.wrappedToSourcePosition(i);
                boolean isFrom = at >= 0 && at < source.length() && wrapper.sourceToWrappedPosition(at) == i;
                if (isFrom) lines[line] = first + line(source, at) - 1;
            }
        }
    }

    /** Where the class begins, after its imports: at the end of a line. */
    private static int body(String wrapped) {
        return Math.max(0, wrapped.indexOf("\nclass $JShell$"));
    }

    private static int line(String text, int offset) {
        return 1 + (int) text.substring(0, offset).chars().filter(c -> c == '\n').count();
    }
}
