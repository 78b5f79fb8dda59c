package kowalski;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import javax.tools.Diagnostic;
import jdk.jshell.Snippet.Kind;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.Completeness;
import jdk.jshell.SourceCodeAnalysis.CompletionInfo;

/** A block of code, split into the parts that a shell takes one at a time. */
final class Block {
    /** Code at an offset of the block; `shift` characters stand before it that the block has not. */
    record Part(Kind kind, String code, int offset, int shift) {}

    /** A place in the block; both count from 1. */
    record Place(int line, int column) {}

    private static final Pattern PACKAGE = Pattern.compile("package\\s+[\\w.]+\\s*;");
    private static final Pattern CONTINUATION = Pattern.compile("\\s*\\.");

    final String label;
    final String code;
    final List<Part> parts = new ArrayList<>();
    private final SourceCodeAnalysis analysis;

    Block(String label, String code, SourceCodeAnalysis analysis) throws Failure {
        this.label = label;
        // As Java does where a file names the program that is to run it.
        this.code = code.startsWith("#!") ? "//" + code.substring(2) : code;
        this.analysis = analysis;
        refuseOpenComment();
        if (!isPackaged()) split(false);
    }

    private Block(Block whole) {
        label = whole.label;
        code = whole.code;
        analysis = whole.analysis;
        split(true);
    }

    /** The same, as a shell takes it which gets it line by line, and needs no semicolon at a line's end. */
    Block byLines() {
        return new Block(this);
    }

    /** Whether its types belong to a package, as in a file. */
    boolean isPackaged() {
        return PACKAGE.matcher(Kinds.bare(code)).lookingAt();
    }

    /** Whether it is a whole program: types, one of which has a `main`, and nothing else. */
    boolean isProgram() {
        for (Part part : parts) {
            if (part.kind != Kind.TYPE_DECL && part.kind != Kind.IMPORT) return false;
        }
        return isPackaged() || entry() != null;
    }

    /** The part with its `main`, if it has one and no statement that could call it; else null. */
    Part mainPart() {
        for (Part part : parts) {
            if (part.kind == Kind.STATEMENT || part.kind == Kind.EXPRESSION) return null;
        }
        return entry();
    }

    private Part entry() {
        for (Part part : parts) {
            if (part.kind != Kind.TYPE_DECL && part.kind != Kind.METHOD) continue;
            if (Entry.of(part.code) != null) return part;
        }
        return null;
    }

    Place place(int offset) {
        int at = Math.max(0, Math.min(offset, code.length()));
        int start = code.lastIndexOf('\n', at - 1) + 1;
        int line = 1 + (int) code.substring(0, start).chars().filter(c -> c == '\n').count();
        return new Place(line, code.codePointCount(start, at) + 1);
    }

    /** The block's line at which line `line` of a part stands. */
    int line(Part part, int line) {
        return place(part.offset).line + line - 1;
    }

    /** The text of a line. */
    String text(int line) {
        return code.lines().skip(line - 1L).findFirst().orElse("");
    }

    /** The shell would take all that follows for a comment. */
    private void refuseOpenComment() throws Failure {
        int last = code.lastIndexOf("/*");
        if (last < 0 || code.indexOf("*/", last + 2) >= 0) return;
        for (Diagnostic<?> problem : Syntax.of(code).problems()) {
            if (!problem.getCode().equals("compiler.err.unclosed.comment")) continue;
            Findings found = new Findings(this);
            found.error((int) problem.getPosition(), problem.getCode(), problem.getMessage(Locale.ENGLISH));
            throw found.failure();
        }
    }

    /** Statements in a row become one part: each part is compiled by itself, which takes time. */
    private void split(boolean isByLines) {
        int from = -1;
        String rest = code;
        while (!rest.isBlank()) {
            String seen = isByLines ? typed(rest) : rest;
            CompletionInfo next = analysis.analyzeCompletion(seen);
            if (next.completeness() == Completeness.EMPTY) break;
            boolean whole = next.completeness().isComplete()
                || next.completeness() == Completeness.CONSIDERED_INCOMPLETE;
            String left = whole ? next.remaining() + rest.substring(seen.length()) : "";
            String taken = rest.substring(0, rest.length() - left.length());
            if (taken.isEmpty()) break;
            int at = code.length() - rest.length();
            Kind kind = whole ? Kinds.of(taken) : Kind.ERRONEOUS;
            if (kind == Kind.STATEMENT) {
                if (from < 0) from = at;
            } else {
                join(from, at);
                from = -1;
                // The analysis may have completed it with a semicolon of its own.
                String complete = whole && next.source().length() > taken.length() ? next.source() : taken;
                int blanks = complete.length() - complete.stripLeading().length();
                parts.add(new Part(kind, complete.stripLeading(), at + blanks, 0));
            }
            rest = left;
        }
        join(from, code.length() - rest.length());
    }

    /** What a shell takes next which gets the code line by line; all that is left if no lines are whole. */
    private String typed(String rest) {
        for (int end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', end + 1)) {
            String lines = rest.substring(0, end);
            Completeness completeness = analysis.analyzeCompletion(lines).completeness();
            boolean goesOn = CONTINUATION.matcher(rest).region(end, rest.length()).lookingAt();
            if (completeness.isComplete() && !goesOn) return lines;
            if (completeness == Completeness.UNKNOWN) break;
        }
        return rest;
    }

    /** Between braces, a shell need not find out which type a call has. */
    private void join(int from, int end) {
        if (from < 0) return;
        parts.add(new Part(Kind.STATEMENT, "{" + code.substring(from, end) + "\n}", from, 1));
    }
}
