package kowalski;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import jdk.jshell.JShell;
import jdk.jshell.Snippet.Status;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.VarSnippet;

/** The JDK's own shell: what a block declares is there for the next one. */
final class Repl {

    private static final int MOST_CHARACTERS = 100_000;

    private final Loader loader = new Loader();
    private final Control control = new Control(loader);
    private final JShell shell;
    private final Sources sources;
    private final Intake intake;
    private final Variables variables;
    private final Consumer<Findings> warn;
    private final Runnable begins;
    private final Set<String> offered = new HashSet<>();
    private final Imports imports = new Imports();

    /** `warn` hears of warnings, before the code that they are about runs, and `begins` that it does. */
    Repl(Consumer<Findings> warn, Runnable begins) {
        this.warn = warn;
        this.begins = begins;
        shell = JShell.builder()
            .executionEngine(new Control.Provider(control), Map.of())
            .compilerOptions("-proc:none", Findings.LINT, "-XDstringConcat=inline")
            .build();
        sources = new Sources(shell);
        intake = new Intake(shell);
        variables = new Variables(shell, control);
    }

    SourceCodeAnalysis analysis() {
        return shell.sourceCodeAnalysis();
    }

    /**
     * Run a block until `over`, once all of it is found to be right; the value of the last expression, or null.
     *
     * <p>`isAlone`: it is a program, and the shell will not be used again.
     */
    String run(Block block, boolean isAlone, BooleanSupplier over) throws Failure {
        for (String name : imports.wanted(block.code)) shell.eval("import " + name + ".*;");
        Draft draft = taken(block, isAlone, over);
        try {
            draft.warnings().forEach(warn);
            if (!over.getAsBoolean()) begins.run();
            String value = draft.run(over);
            Block.Part main = draft.block().mainPart();
            if (main != null && !over.getAsBoolean()) {
                draft.launch(main);
                return null;
            }
            if (value == null || value.isEmpty()) return null;
            int more = value.length() - MOST_CHARACTERS;
            return more > 0 ? value.substring(0, MOST_CHARACTERS) + "... " + more + " characters more" : value;
        } finally {
            if (!isAlone) draft.undo();
        }
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
    void give(String name, String path) throws Failure {
        String code = "String " + name + " = java.nio.file.Files.readString(java.nio.file.Path.of(\""
            + path.replace("\\", "\\\\").replace("\"", "\\\"") + "\"));";
        Block block = new Block("input", code, analysis());
        run(block, true, () -> false);
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

    /** A block that the shell has taken; what it does not take leaves nothing behind. */
    private Draft taken(Block block, boolean isAlone, BooleanSupplier over) throws Failure {
        Draft draft = draft(block);
        try {
            draft.take(isAlone, over);
            return draft;
        } catch (Failure failure) {
            draft.undo();
            if (failure.isOfForm()) {
                Draft byLines = draft(block.byLines());
                try {
                    byLines.take(isAlone, over);
                    return byLines;
                } catch (Failure other) {
                    byLines.undo();
                    if (!other.isOfForm()) throw other;
                }
            }
            draft.warnings().forEach(warn);
            throw failure;
        }
    }

    private Draft draft(Block block) {
        return new Draft(block, shell, intake, control, loader, variables, sources);
    }

    private String valueOf(VarSnippet variable) {
        return shell.status(variable) == Status.VALID ? shell.varValue(variable) : "";
    }

    private static String firstLine(String source) {
        return source.strip().lines().findFirst().orElse("");
    }
}
