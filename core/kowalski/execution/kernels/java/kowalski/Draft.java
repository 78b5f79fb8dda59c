package kowalski;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.JShell;
import jdk.jshell.PersistentSnippet;
import jdk.jshell.Snippet;
import jdk.jshell.Snippet.Kind;
import jdk.jshell.Snippet.Status;
import jdk.jshell.Snippet.SubKind;
import jdk.jshell.SnippetEvent;
import jdk.jshell.spi.SPIResolutionException;

/** A block that the shell takes as a whole before any of it runs. */
final class Draft {
    /** A part that was taken: what is to run, and what it has changed. */
    private static final class Step {
        /** Where variables lay; null for statements, which change nothing of it. */
        Map<String, Field> before;
        final List<Snippet> made = new ArrayList<>();
        final List<Snippet> overwritten = new ArrayList<>();
        List<Control.Call> calls = List.of();
        List<Variables.Move> moves = List.of();
        boolean isShown;

        Step(Map<String, Field> before) {
            this.before = before;
        }
    }

    private final Block block;
    private final JShell shell;
    private final Intake intake;
    private final Control control;
    private final Loader loader;
    private final Variables variables;
    private final Sources sources;
    private final List<Step> steps = new ArrayList<>();
    private final List<Findings> warnings = new ArrayList<>();
    // Up to here, parts are taken one by one.
    private int single;

    Draft(
            Block block, JShell shell, Intake intake, Control control, Loader loader,
            Variables variables, Sources sources) {
        this.block = block;
        this.shell = shell;
        this.intake = intake;
        this.control = control;
        this.loader = loader;
        this.variables = variables;
        this.sources = sources;
    }

    /** Have the shell take all parts, until `over`. `isAlone`: nothing may be declared twice. */
    void take(boolean isAlone, BooleanSupplier over) throws Failure {
        if (isAlone) Finals.refuseWrites(block);
        int at = 0;
        while (at < block.parts.size()) {
            if (over.getAsBoolean()) return;
            int taken = takeTogether(at, isAlone);
            if (taken == 0) take(source(at), isAlone);
            at += Math.max(1, taken);
        }
        for (Step step : steps) {
            for (Snippet snippet : step.made) {
                // A declaration that nothing in its block completed is wrong.
                if (isIncomplete(snippet)) throw sources.rejected(sources.of(snippet), snippet);
            }
        }
    }

    Block block() {
        return block;
    }

    /** What the compiler says of parts that it took. */
    List<Findings> warnings() {
        return warnings;
    }

    /** Run what was taken, until `over`; the value of the last expression, or null. */
    String run(BooleanSupplier over) throws Failure {
        String value = null;
        while (!steps.isEmpty() && !over.getAsBoolean()) {
            Step step = steps.remove(0);
            value = null;
            try {
                for (Control.Call call : step.calls) value = control.perform(call);
            } catch (Throwable thrown) {
                throw failure(thrown);
            } finally {
                for (Snippet snippet : step.made) {
                    if (snippet instanceof PersistentSnippet) variables.declare(((PersistentSnippet) snippet).name());
                }
                step.moves.forEach(variables::perform);
            }
            if (!step.isShown) value = null;
        }
        return over.getAsBoolean() ? null : value;
    }

    /** Call a `main` that the block has declared in a part. */
    void launch(Block.Part part) throws Failure {
        Entry entry = Entry.of(part.code());
        String type = sources.type(new Sources.Source(block, part));
        try {
            control.launch(entry.type().isEmpty() ? type : type + "$" + entry.type(), entry.isGiven());
        } catch (Throwable thrown) {
            throw failure(thrown);
        }
    }

    /** Have the shell as it was before what has not run. */
    void undo() {
        steps.removeIf(step -> step.before == null);
        if (steps.isEmpty()) return;
        Map<String, Field> before = steps.get(0).before;
        Set<Snippet> made = new HashSet<>();
        List<Snippet> overwritten = new ArrayList<>();
        for (Step step : steps) {
            step.overwritten.stream().filter(old -> !made.contains(old)).forEach(overwritten::add);
            made.addAll(step.made);
        }
        redeclare(overwritten, before);
        String cause = "";
        for (Snippet old : overwritten) {
            if (old.kind() == Kind.TYPE_DECL) cause = ((PersistentSnippet) old).name();
        }
        made.removeIf(one -> !(one instanceof PersistentSnippet) || !shell.status(one).isActive());
        if (!intake.forget(made)) {
            for (Snippet one : made) {
                if (shell.status(one).isActive()) shell.drop(one);
            }
        }
        locate();
        control.calls();
        variables.restore(before, cause);
        steps.clear();
    }

    private void redeclare(List<Snippet> overwritten, Map<String, Field> before) {
        int at = 0;
        while (at < overwritten.size()) {
            List<Snippet> left = overwritten.subList(at, overwritten.size());
            List<List<SnippetEvent>> events = intake.take(left.stream().map(Snippet::source).toList()).orElse(List.of());
            boolean isRefused = events.stream().flatMap(List::stream).anyMatch(one -> one.status() == Status.REJECTED);
            if (events.isEmpty() || isRefused) events = List.of(shell.eval(left.get(0).source()));
            for (int i = 0; i < events.size(); i++) {
                Sources.Source source = sources.of(left.get(i));
                events.get(i).stream().filter(one -> one.causeSnippet() == null)
                    .forEach(one -> sources.put(one.snippet(), source));
            }
            variables.moves(before, events.stream().flatMap(List::stream).toList());
            at += events.size();
        }
    }

    private void take(Sources.Source source, boolean isAlone) throws Failure {
        boolean isStatement = source.part().kind() == Kind.STATEMENT;
        Step step = new Step(isStatement ? null : variables.fields());
        steps.add(step);
        List<SnippetEvent> events = shell.eval(source.part().code());
        for (SnippetEvent event : events) note(event, source, step);
        for (SnippetEvent event : events) {
            Snippet snippet = event.snippet();
            if (event.status() == Status.REJECTED) throw sources.rejected(source, snippet);
            if (event.status() == Status.OVERWRITTEN && isAlone) refuseSecond(source, snippet);
        }
        locate();
        step.calls = control.calls();
        if (isStatement) return;
        step.moves = variables.moves(step.before, events);
        locate();
        control.calls();
    }

    /** Have the shell take parts at once, where that can be; how many it took. */
    private int takeTogether(int at, boolean isAlone) throws Failure {
        if (at < single) return 0;
        List<Block.Part> left = block.parts.subList(at, block.parts.size());
        List<String> codes = left.stream().takeWhile(Intake::isJoinable).map(Block.Part::code).toList();
        Map<String, Field> before = codes.size() < 2 ? Map.of() : variables.fields();
        Optional<List<List<SnippetEvent>>> told = intake.take(codes);
        if (told.isEmpty()) single = at + codes.size();
        if (told.isEmpty() || told.get().isEmpty()) return 0;
        List<List<SnippetEvent>> events = told.get();
        int end = at + events.size();
        Findings found = found(at, events);
        if (found.hasErrors()) {
            String later = block.parts.stream().skip(end).map(Block.Part::code).collect(Collectors.joining("\n"));
            if (!found.isMendedBy(later)) throw found.failure();
            single = end;
            return 0;
        }
        // What variables hold is moved before any part runs: all parts see them where they are now.
        Step moving = new Step(before);
        steps.add(moving);
        for (int i = at; i < end; i++) declare(source(i), events.get(i - at));
        locate();
        control.calls();
        moving.moves = variables.moves(before, events.stream().flatMap(List::stream).toList());
        Map<String, Field> after = variables.fields();
        for (Step step : steps.subList(steps.indexOf(moving) + 1, steps.size())) {
            if (step.made.get(0) instanceof PersistentSnippet) step.before = after;
        }
        for (int i = at; isAlone && i < end; i++) {
            for (SnippetEvent event : events.get(i - at)) {
                if (event.status() == Status.OVERWRITTEN) refuseSecond(source(i), event.snippet());
            }
        }
        return events.size();
    }

    /** What the compiler says of parts that were taken together, or that were not. */
    private Findings found(int at, List<List<SnippetEvent>> events) {
        Findings found = new Findings(block);
        for (int i = 0; i < events.size(); i++) {
            for (SnippetEvent event : events.get(i)) {
                boolean isOwn = event.causeSnippet() == null && event.status() != Status.OVERWRITTEN;
                if (isOwn) sources.tell(source(at + i), event.snippet(), found);
            }
        }
        return found;
    }

    private Sources.Source source(int part) {
        return new Sources.Source(block, block.parts.get(part));
    }

    /** Note what was taken with others. */
    private void declare(Sources.Source source, List<SnippetEvent> events) {
        Step step = new Step(null);
        steps.add(step);
        for (SnippetEvent event : events) note(event, source, step);
        step.calls = step.made.stream().filter(one -> one.subKind().isExecutable())
            .map(one -> Control.call(shell, one)).toList();
    }

    private void note(SnippetEvent event, Sources.Source source, Step step) {
        Snippet snippet = event.snippet();
        if (event.status() == Status.OVERWRITTEN) step.overwritten.add(snippet);
        if (event.causeSnippet() != null || event.status() == Status.REJECTED) return;
        sources.put(snippet, source);
        step.made.add(snippet);
        step.isShown = isShown(snippet);
        Findings found = sources.found(source, snippet);
        if (!found.hasErrors() && !found.messages().isEmpty()) warnings.add(found);
    }

    /** Tell the lines of what the shell has compiled. */
    private void locate() {
        loader.latest().forEach((key, types) -> {
            Lines lines = sources.lines(key);
            if (lines != null) loader.locate(types, lines);
        });
    }

    private void refuseSecond(Sources.Source source, Snippet first) throws Failure {
        Sources.Source earlier = sources.of(first);
        if (earlier == null || earlier.block() != block || !(first instanceof PersistentSnippet)) return;
        String name = ((PersistentSnippet) first).name();
        Findings found = new Findings(block);
        found.error(Sources.mentioned(source.part(), name), "compiler.err.already.defined",
            name + " is already defined in line " + earlier.line());
        throw found.failure();
    }

    private boolean isIncomplete(Snippet snippet) {
        Status status = shell.status(snippet);
        return status == Status.RECOVERABLE_DEFINED || status == Status.RECOVERABLE_NOT_DEFINED;
    }

    private Failure failure(Throwable thrown) {
        Trace trace = new Trace(block.label, frame -> loader.block(frame.getClassName()) == block);
        Failure failure = trace.of(thrown);
        if (!(thrown instanceof SPIResolutionException)) return failure;
        String id = String.valueOf(((SPIResolutionException) thrown).id());
        DeclarationSnippet snippet = (DeclarationSnippet) sources.latest(id);
        Sources.Source source = sources.of(snippet);
        if (source == null) return failure;
        Failure rejected = sources.rejected(source, snippet);
        if (source.block() == block) return rejected;
        return new Failure("CompileError", snippet.name() + " cannot be used: " + rejected.getMessage(),
            failure.line, 0, rejected.traceback);
    }

    private static boolean isShown(Snippet snippet) {
        boolean temporary = snippet.subKind() == SubKind.TEMP_VAR_EXPRESSION_SUBKIND;
        boolean expression = snippet.kind() == Kind.EXPRESSION || temporary;
        return expression && snippet.subKind() != SubKind.ASSIGNMENT_SUBKIND;
    }
}
