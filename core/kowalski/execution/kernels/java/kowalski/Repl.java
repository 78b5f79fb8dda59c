package kowalski;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.Diag;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.JShellException;
import jdk.jshell.Snippet;
import jdk.jshell.Snippet.Kind;
import jdk.jshell.Snippet.Status;
import jdk.jshell.Snippet.SubKind;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.UnresolvedReferenceException;
import jdk.jshell.VarSnippet;

/** The JDK's own shell: what a block declares is there for the next one. */
final class Repl {

    private static final int MOST_CHARACTERS = 100_000;

    /** Where a part came from, for the lines that the shell tells of its snippets. */
    private record Source(Block block, Block.Part part) {}

    private final JShell shell;
    private final Variables variables;
    private final Consumer<Findings> warn;
    private final Set<String> offered = new HashSet<>();
    private final Imports imports = new Imports();
    private final Map<String, Source> sources = new HashMap<>();

    /** `warn` hears of warnings, as soon as the shell tells them: when what they are about has run. */
    Repl(Consumer<Findings> warn) {
        this.warn = warn;
        Control control = new Control();
        shell = JShell.builder()
            .executionEngine(new Control.Provider(control), Map.of())
            .compilerOptions("-proc:none", Findings.LINT, "-XDstringConcat=inline")
            .build();
        variables = new Variables(shell, control);
    }

    SourceCodeAnalysis analysis() {
        return shell.sourceCodeAnalysis();
    }

    /** Run the parts of a block, in order, until `over`; the value of the last expression, or null. */
    String run(Block block, BooleanSupplier over) throws Failure {
        String value = null;
        List<Snippet> incomplete = new ArrayList<>();
        for (String name : imports.wanted(block.code)) shell.eval("import " + name + ".*;");
        for (Block.Part part : block.parts) {
            if (over.getAsBoolean()) return null;
            value = null;
            for (SnippetEvent event : evaluated(part)) {
                Snippet snippet = event.snippet();
                if (event.status() == Status.REJECTED) throw rejected(block, part, snippet);
                if (event.causeSnippet() == null) {
                    sources.put(snippet.id(), new Source(block, part));
                    Findings found = found(block, part, snippet);
                    if (!found.hasErrors() && !found.messages().isEmpty()) warn.accept(found);
                }
                if (event.exception() != null) throw thrown(event.exception());
                boolean waits = event.status() == Status.RECOVERABLE_DEFINED
                    || event.status() == Status.RECOVERABLE_NOT_DEFINED;
                if (waits && event.causeSnippet() == null) incomplete.add(snippet);
                if (event.causeSnippet() == null && isShown(snippet)) value = event.value();
            }
        }
        if (over.getAsBoolean()) return null;
        for (Snippet snippet : incomplete) check(snippet);
        if (value == null || value.isEmpty()) return null;
        return value.length() > MOST_CHARACTERS ? value.substring(0, MOST_CHARACTERS) : value;
    }

    /** What became of variables that the last block was not to touch, a line each. */
    Collection<String> losses() {
        return variables.losses();
    }

    /** Give the program a function of its caller's; it stays. */
    void offer(String name) {
        if (!offered.add(name)) return;
        shell.eval("Object " + name + "(Object... given) throws Exception { return kowalski.Host.call(\""
            + name + "\", given); }");
    }

    /** Give the program a text that lies at a path. */
    void give(String name, String path) {
        shell.eval("String " + name + " = java.nio.file.Files.readString(java.nio.file.Path.of(\""
            + path.replace("\\", "\\\\").replace("\"", "\\\"") + "\"));");
    }

    /** Run code of the kernel's own on behalf of a block. */
    void run(Block block, String code) throws Failure {
        for (SnippetEvent event : shell.eval(code)) {
            if (event.status() == Status.REJECTED) {
                throw rejected(block, block.parts.get(0), event.snippet());
            }
            if (event.exception() != null) throw thrown(event.exception());
        }
    }

    /** Interrupt what runs. */
    void stop() {
        shell.stop();
    }

    /** The variables, methods and types that are declared, as JSON. */
    String variables() {
        List<String> found = new ArrayList<>();
        shell.variables().filter(v -> !v.name().startsWith("$")).forEach(v -> found.add(
            Json.described(v.name(), v.typeName(), valueOf(v))));
        shell.methods().filter(m -> !offered.contains(m.name())).forEach(m -> found.add(
            Json.described(m.name(), "method", m.name() + "(" + m.parameterTypes() + ")")));
        shell.types().forEach(t -> found.add(Json.described(t.name(), "type", firstLine(t.source()))));
        return found.stream().limit(200).collect(Collectors.joining(",", "[", "]"));
    }

    private List<SnippetEvent> evaluated(Block.Part part) {
        if (part.kind() == Kind.STATEMENT) return shell.eval(part.code());
        try {
            variables.remember();
            List<SnippetEvent> events = shell.eval(part.code());
            variables.restore(events);
            return events;
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private String valueOf(VarSnippet variable) {
        return shell.status(variable) == Status.VALID ? shell.varValue(variable) : "";
    }

    private static String firstLine(String source) {
        return source.strip().lines().findFirst().orElse("");
    }

    private static boolean isShown(Snippet snippet) {
        boolean temporary = snippet.subKind() == SubKind.TEMP_VAR_EXPRESSION_SUBKIND;
        boolean expression = snippet.kind() == Kind.EXPRESSION || temporary;
        return expression && snippet.subKind() != SubKind.ASSIGNMENT_SUBKIND;
    }

    /** A declaration that nothing in its block completed is wrong. */
    private void check(Snippet snippet) throws Failure {
        Status status = shell.status(snippet);
        if (status != Status.RECOVERABLE_DEFINED && status != Status.RECOVERABLE_NOT_DEFINED) return;
        Source source = sources.get(snippet.id());
        throw rejected(source.block, source.part, snippet);
    }

    private Failure rejected(Block block, Block.Part part, Snippet snippet) {
        Findings found = found(block, part, snippet);
        if (!found.hasErrors() && snippet instanceof DeclarationSnippet) {
            shell.unresolvedDependencies((DeclarationSnippet) snippet)
                .forEach(missing -> found.error(
                    mentioned(part, missing), "compiler.err.cant.resolve", "cannot find symbol: " + missing));
        }
        if (!found.hasErrors()) found.error(part.offset(), "", "this is no Java");
        return found.failure();
    }

    private Findings found(Block block, Block.Part part, Snippet snippet) {
        Findings found = new Findings(block);
        for (Diag diagnosis : (Iterable<Diag>) shell.diagnostics(snippet)::iterator) {
            int offset = part.offset() - part.shift() + (int) diagnosis.getPosition();
            String message = diagnosis.getMessage(Locale.ENGLISH);
            if (diagnosis.isError()) found.error(offset, diagnosis.getCode(), message);
            else found.warning(offset, diagnosis.getCode(), message);
        }
        return found;
    }

    /** Where a part first names what it misses, such as `variable total` or `method sum(int)`. */
    private static int mentioned(Block.Part part, String missing) {
        String name = missing.replaceFirst("^\\w+ ", "").replaceFirst("\\(.*", "");
        Matcher found = Pattern.compile("\\b" + Pattern.quote(name) + "\\b").matcher(part.code());
        return part.offset() - part.shift() + (found.find() ? found.start() : 0);
    }

    private Failure thrown(JShellException exception) {
        if (exception instanceof UnresolvedReferenceException) {
            Snippet snippet = ((UnresolvedReferenceException) exception).getSnippet();
            Source source = sources.get(snippet.id());
            if (source != null) return rejected(source.block, source.part, snippet);
        }
        Trace trace = new Trace(this::located);
        for (Throwable at = exception; at != null; at = at.getCause()) {
            String type = at instanceof EvalException
                ? ((EvalException) at).getExceptionClassName() : at.getClass().getName();
            trace.add(type, at.getMessage(), at.getStackTrace());
        }
        return trace.failure();
    }

    /** A frame of a snippet's, with the label and the line of its block; others as they are. */
    private StackTraceElement located(StackTraceElement frame) {
        String file = frame.getFileName();
        if (file == null || !file.startsWith("#")) return frame;
        Source source = sources.get(file.substring(1));
        if (source == null) return null;
        String method = "do_it$".equals(frame.getMethodName()) ? "" : frame.getMethodName();
        int line = source.block.line(source.part, frame.getLineNumber());
        return new StackTraceElement(frame.getClassName(), method, source.block.label, line);
    }
}
