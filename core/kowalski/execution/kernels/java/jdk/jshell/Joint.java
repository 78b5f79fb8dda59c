package jdk.jshell;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jshell.spi.ExecutionControl.ClassBytecodes;
import jdk.jshell.spi.ExecutionControl.ExecutionControlException;

/**
 * Has a shell take many declarations at once, and forget them at once.
 *
 * <p>The shell itself takes one after the other, and those again that name a later one; and what it
 * compiles, it has import all that it knows. This stands within its package to do what it does by
 * its own means, and is compiled for each JDK: one whose shell is another goes without.
 */
final class Joint implements Function<List<String>, List<List<Snippet>>>, Predicate<Collection<Snippet>> {
    private static final Pattern WORD = Pattern.compile("[\\p{L}_$][\\p{L}\\p{N}_$]*");
    private static final Pattern INFERRED =
        Pattern.compile("(?:(?:final\\b|@[\\w.]+(?:\\([^)]*\\))?|//[^\\n]*|/\\*(?s:.*?)\\*/)\\s*)*var\\b");
    // The compiler goes from import to import, which its stack must hold.
    private static final int MOST = 200;
    private static final Set<Snippet.Kind> KINDS = Set.of(
        Snippet.Kind.TYPE_DECL, Snippet.Kind.METHOD, Snippet.Kind.VAR, Snippet.Kind.STATEMENT);

    private final JShell shell;

    Joint(JShell shell) {
        this.shell = shell;
    }

    /**
     * Take as many of the first of these sources as can be taken together; what each declares.
     * Nothing is run. If one is wrong, none is taken: what the compiler says is in their diagnostics.
     *
     * @throws IllegalStateException the compiler fails, and does not say why.
     */
    @Override
    public List<List<Snippet>> apply(List<String> sources) {
        Set<String> endless = new HashSet<>();
        while (true) {
            List<List<Snippet>> read = read(sources, endless);
            if (read.isEmpty()) return read;
            List<Unit> units = new ArrayList<>();
            for (List<Snippet> one : read) {
                for (Snippet snippet : one) units.add(new Unit(shell, snippet, null, snippet.syntheticDiags()));
            }
            units.forEach(this::name);
            wrap(units);
            Map<Snippet, DiagList> told = shell.taskFactory.analyze(wraps(units), task -> judged(units, task));
            boolean isRight = told.values().stream().noneMatch(DiagList::hasErrors);
            if (!isRight && endless.addAll(endless(told))) continue;
            if (isRight) declare(units);
            else refuse(units, told);
            return read;
        }
    }

    /** Forget what was declared, if nothing that stays rests on it: whether that is so. */
    @Override
    public boolean test(Collection<Snippet> declared) {
        Set<Snippet> gone = new HashSet<>(declared);
        for (Snippet one : declared) {
            for (Snippet dependent : shell.maps.getDependents(one)) {
                if (dependent.status().isActive() && !gone.contains(dependent)) return false;
            }
        }
        declared.forEach(Snippet::setDropped);
        return true;
    }

    /** The snippets of the first sources, up to one that must see the others taken before it. */
    private List<List<Snippet>> read(List<String> sources, Set<String> endless) {
        Set<String> known = new HashSet<>();
        for (Snippet one : active()) known.add(one.name());
        Set<String> declared = new HashSet<>();
        Set<String> used = new HashSet<>();
        List<List<Snippet>> read = new ArrayList<>();
        for (String source : sources.subList(0, Math.min(sources.size(), MOST))) {
            Set<String> words = words(source);
            // To infer its type, the shell must know all that it names.
            if (INFERRED.matcher(source).lookingAt() && !Collections.disjoint(words, declared)) break;
            List<Snippet> found = source.startsWith("{")
                ? List.of(statement(source, endless.contains(source)))
                : shell.eval.sourceToSnippetsWithWrappers(source);
            if (found.isEmpty()) break;
            for (Snippet one : found) {
                if (!isFresh(one)) return read;
                if (!(one instanceof PersistentSnippet)) continue;
                if (used.contains(one.name()) || known.contains(one.name())) return read;
                if (!declared.add(one.name())) return read;
            }
            // What runs sees nothing that comes later, as the shell has it.
            if (found.get(0).isExecutable()) used.addAll(words);
            read.add(found);
        }
        return read;
    }

    /** As the shell makes it, but for a trial of each. */
    private Snippet statement(String source, boolean isEndless) {
        String bare = new MaskCommentsAndModifiers(source, false).cleared().stripTrailing();
        Wrap guts = isEndless ? Wrap.methodUnreachableWrap(bare) : Wrap.methodWrap(bare);
        return new StatementSnippet(shell.keyMap.keyForStatement(), source, guts);
    }

    /** What the shell knows but for imports. */
    private List<Snippet> active() {
        List<Snippet> active = new ArrayList<>();
        for (Snippet one : shell.maps.snippetList()) {
            if (one.status().isActive() && one instanceof DeclarationSnippet) active.add(one);
        }
        return active;
    }

    private boolean isFresh(Snippet one) {
        if (!KINDS.contains(one.kind())) return false;
        // It has no body.
        if (one instanceof MethodSnippet && ((MethodSnippet) one).unresolvedSelf != null) return false;
        return shell.maps.getDependents(one).stream().noneMatch(other -> other.status().isActive());
    }

    /** Give what will be its class a name that no class has had. */
    private void name(Unit unit) {
        Set<Unit> alone = Set.of(unit);
        unit.initialize();
        unit.setWrap(alone, alone);
        while (shell.classTracker.get(unit.snippet().classFullName()).isLoaded()) {
            unit.markForReplacement();
            unit.setWrap(alone, alone);
        }
    }

    /** Put classes around them, which import what their code names. */
    private void wrap(List<Unit> units) {
        Map<String, Set<Unit>> known = new HashMap<>();
        Set<Unit> all = new LinkedHashSet<>(units);
        for (Snippet one : active()) {
            Unit unit = new Unit(shell, one, one, new DiagList());
            known.computeIfAbsent(one.name(), first -> new HashSet<>()).add(unit);
            all.add(unit);
        }
        Map<String, Unit> fresh = new HashMap<>();
        for (Unit unit : units) {
            if (unit.snippet() instanceof PersistentSnippet) fresh.put(unit.snippet().name(), unit);
        }
        for (Unit unit : units) {
            Set<Unit> hidden = new LinkedHashSet<>(all);
            Set<Unit> seen = new LinkedHashSet<>(Set.of(unit));
            for (String word : words(unit.snippet().source())) {
                hidden.removeAll(known.getOrDefault(word, Set.of()));
                if (fresh.containsKey(word)) seen.add(fresh.get(word));
            }
            unit.setWrap(hidden, seen);
        }
    }

    /** What the compiler says of each; they are what they will be if nothing is wrong. */
    private static Map<Snippet, DiagList> judged(List<Unit> units, TaskFactory.AnalyzeTask task) {
        Map<Snippet, DiagList> told = new HashMap<>();
        // The task's own list has only once what is said of several.
        for (var one : task.diagnostics.getDiagnostics()) {
            Diag diag = task.diag(one);
            told.computeIfAbsent(diag.snippetOrNull(), first -> new DiagList()).add(diag);
        }
        boolean isRight = told.values().stream().noneMatch(DiagList::hasErrors);
        for (Unit unit : units) {
            unit.setDiagnostics(told.getOrDefault(unit.snippet(), new DiagList()));
            if (isRight) unit.setStatus(task);
        }
        return told;
    }

    /** The statements after whose end the compiler takes no more. */
    private static Set<String> endless(Map<Snippet, DiagList> told) {
        Set<String> endless = new HashSet<>();
        told.forEach((snippet, diags) -> {
            if (snippet instanceof StatementSnippet && diags.hasUnreachableError()) endless.add(snippet.source());
        });
        return endless;
    }

    /** Have the shell know what was rejected, and why. */
    private void refuse(List<Unit> units, Map<Snippet, DiagList> told) {
        if (told.containsKey(null)) throw new IllegalStateException(told.get(null).toString());
        for (Unit unit : units) {
            unit.snippet().setFailed(told.getOrDefault(unit.snippet(), new DiagList()));
            shell.maps.installSnippet(unit.snippet());
        }
    }

    /** Have the shell know what was found right. */
    private void declare(List<Unit> units) {
        ClassBytecodes[] made = shell.taskFactory.compile(wraps(units), task -> {
            if (!task.compile()) throw new IllegalStateException(task.getDiagnostics().toString());
            return units.stream()
                .flatMap(unit -> unit.classesToLoad(task.classList(unit.snippet().outerWrap())))
                .toArray(ClassBytecodes[]::new);
        });
        try {
            shell.executionControl().load(made);
        } catch (ExecutionControlException refused) {
            throw new IllegalStateException(refused);
        }
        shell.classTracker.markLoaded(made);
        units.forEach(Unit::finish);
    }

    private static Set<OuterWrap> wraps(List<Unit> units) {
        Set<OuterWrap> wraps = new LinkedHashSet<>();
        for (Unit unit : units) wraps.add(unit.snippet().outerWrap());
        return wraps;
    }

    private static Set<String> words(String code) {
        Set<String> words = new HashSet<>();
        for (Matcher found = WORD.matcher(code); found.find(); ) words.add(found.group());
        return words;
    }
}
