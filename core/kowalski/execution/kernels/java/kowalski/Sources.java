package kowalski;

import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.Diag;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.VarSnippet;

/** Where what the shell has taken stands in its blocks. */
final class Sources {
    /** A part of a block. */
    record Source(Block block, Block.Part part) {
        int line() {
            return block.line(part, 1);
        }
    }

    // A type, a member or a constructor, as warnings name it.
    private static final Pattern NAMED = Pattern.compile(
        "(?:found raw type: (?:[\\w$]+\\.)*)?([\\w$]+)(?:\\([^)]*\\))?(?: in .*has been deprecated|\\s*$)", Pattern.MULTILINE);

    private final JShell shell;
    private final Map<Snippet, Source> known = new IdentityHashMap<>();
    private final Map<String, Snippet> latest = new HashMap<>();
    private final Map<Block, String> files = new HashMap<>();
    private final Map<String, String> taken = new HashMap<>();

    Sources(JShell shell) {
        this.shell = shell;
    }

    void put(Snippet snippet, Source source) {
        known.put(snippet, source);
        latest.put(snippet.id(), snippet);
    }

    /** The snippet that has an id now: what is declared anew has the same one; null for the kernel's own. */
    Snippet latest(String id) {
        return latest.get(id);
    }

    /** Where a snippet stands; null for one that stands in no block. */
    Source of(Snippet snippet) {
        return known.get(snippet);
    }

    /** The shell's class for the one declaration that stands there. */
    String type(Source source) {
        for (Map.Entry<Snippet, Source> one : known.entrySet()) {
            if (!one.getValue().equals(source)) continue;
            return shell.sourceCodeAnalysis().wrapper(one.getKey()).fullClassName();
        }
        throw new IllegalArgumentException();
    }

    /** What a block is called in traces: other code is called otherwise. */
    String file(Block block) {
        return files.computeIfAbsent(block, one -> {
            String name = one.label;
            for (int i = 2; !taken.computeIfAbsent(name, first -> one.code).equals(one.code); i++) {
                name = one.label + " (" + i + ")";
            }
            return name;
        });
    }

    /** The lines of the class with a key, for the parts that are in it; null if it is of none. */
    Lines lines(String key) {
        Lines lines = null;
        for (String id : key.replaceAll("[A-Z]", "").split("_")) {
            Snippet snippet = latest.get(id);
            Source source = known.get(snippet);
            if (source == null) continue;
            var wrapper = shell.sourceCodeAnalysis().wrapper(snippet);
            if (!key.equals(Names.key(wrapper.fullClassName()))) continue;
            if (lines == null) lines = new Lines(source.block, file(source.block), wrapper.wrapped());
            lines.add(wrapper, source.line());
        }
        return lines;
    }

    /** What the compiler says of a snippet. */
    Findings found(Source source, Snippet snippet) {
        Findings found = new Findings(source.block);
        tell(source, snippet, found);
        return found;
    }

    /** Have what the compiler says of a snippet among what was found. */
    void tell(Source source, Snippet snippet, Findings found) {
        for (Diag diagnosis : (Iterable<Diag>) shell.diagnostics(snippet)::iterator) {
            int offset = source.part.offset() - source.part.shift() + (int) diagnosis.getPosition();
            String message = diagnosis.getMessage(Locale.ENGLISH);
            if (snippet instanceof VarSnippet && isOfNothing(diagnosis, message, source.part)) continue;
            if (diagnosis.isError()) found.error(offset, diagnosis.getCode(), message);
            else found.warning(offset, diagnosis.getCode(), message);
        }
    }

    /** Whether it is about the name of a type that the shell has inferred, which stands nowhere. */
    private static boolean isOfNothing(Diag diagnosis, String message, Block.Part part) {
        Matcher named = NAMED.matcher(message);
        if (diagnosis.isError() || !Kinds.isInferred(part.code()) || !named.lookingAt()) return false;
        int at = (int) diagnosis.getPosition();
        String name = "(?:(?:new\\b|\\.|::)\\s*)?(?:[\\w$]+\\s*\\.\\s*)*" + Pattern.quote(named.group(1)) + "(?![\\w$])";
        if (at < 0 || at > part.code().length()) return true;
        return !Pattern.compile(name).matcher(part.code()).region(at, part.code().length()).lookingAt();
    }

    /** Why a snippet cannot be. */
    Failure rejected(Source source, Snippet snippet) {
        Findings found = found(source, snippet);
        if (!found.hasErrors() && snippet instanceof DeclarationSnippet) {
            shell.unresolvedDependencies((DeclarationSnippet) snippet)
                .forEach(missing -> found.error(
                    mentioned(source.part, missing), "compiler.err.cant.resolve", "cannot find symbol: " + missing));
        }
        if (!found.hasErrors()) found.error(source.part.offset(), "", "this is no Java");
        return found.failure();
    }

    /** Where a part first names something, such as `variable total` or `method sum(int)`. */
    static int mentioned(Block.Part part, String something) {
        String name = something.replaceFirst("^\\w+ ", "").replaceFirst("\\(.*", "");
        Matcher found = Pattern.compile("\\b" + Pattern.quote(name) + "\\b").matcher(part.code());
        return part.offset() - part.shift() + (found.find() ? found.start() : 0);
    }
}
