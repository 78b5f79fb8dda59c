package jdk.jshell;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
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
final class Joint implements Function<List<String>, List<List<SnippetEvent>>>, Predicate<Collection<Snippet>> {
    private static final Pattern WORD = Pattern.compile("[\\p{L}_$][\\p{L}\\p{N}_$]*");
    private static final Pattern INFERRED =
        Pattern.compile("(?:(?:final\\b|@[\\w.]+(?:\\([^)]*\\))?|//[^\\n]*|/\\*(?s:.*?)\\*/)\\s*)*var\\b");
    private static final DiagList NOTHING = new DiagList();
    // The compiler goes from import to import, which its stack must hold.
    private static final int MOST = 200;
    private static final Set<Snippet.Kind> KINDS = Set.of(
        Snippet.Kind.TYPE_DECL, Snippet.Kind.METHOD, Snippet.Kind.VAR, Snippet.Kind.STATEMENT);

    private final JShell shell;

    Joint(JShell shell) {
        this.shell = shell;
    }

    /**
     * Take as many of the first of these sources as can be taken together; what each declares, and
     * what else is declared anew since it rests on that. Nothing is run. If one is wrong, none is
     * taken: what the compiler says is in their diagnostics.
     *
     * @throws IllegalStateException the compiler fails, or does not say why.
     */
    @Override
    public List<List<SnippetEvent>> apply(List<String> sources) {
        Set<String> endless = new HashSet<>();
        while (true) {
            List<List<Snippet>> read = read(sources, endless);
            if (read.isEmpty()) return List.of();
            List<Snippet> own = new ArrayList<>();
            read.forEach(own::addAll);
            Map<Snippet, Snippet> resting = resting(own);
            List<Runnable> before = restoring(own, resting.keySet());
            try {
                List<Unit> units = units(own, resting);
                Map<Snippet, DiagList> told = shell.taskFactory.analyze(wraps(units), task -> told(units, task));
                if (own.stream().noneMatch(one -> told.getOrDefault(one, NOTHING).hasErrors())) {
                    if (told.values().stream().anyMatch(DiagList::hasErrors)) judge(units);
                    declare(units);
                    before.clear();
                    return events(read, units);
                }
                if (endless.addAll(endless(told))) continue;
                own.forEach(one -> refuse(one, told));
                return events(read, List.of());
            } finally {
                before.forEach(Runnable::run);
            }
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
        Map<String, Set<Key>> known = new HashMap<>();
        for (Snippet one : active()) known.computeIfAbsent(one.name(), first -> new HashSet<>()).add(one.key());
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
                if (!isJoinable(one)) return read;
                if (!(one instanceof PersistentSnippet)) continue;
                // Methods of one name are for the shell to tell apart.
                Set<Key> same = known.getOrDefault(one.name(), Set.of(one.key()));
                if (!same.equals(Set.of(one.key())) || declared.contains(one.name())) return read;
                // What runs sees nothing that comes later, as the shell has it.
                if (used.contains(one.name()) || !used.isEmpty() && isUsed(one, used)) return read;
                declared.add(one.name());
            }
            if (found.get(0).isExecutable()) used.addAll(words);
            read.add(found);
        }
        return read;
    }

    private boolean isUsed(Snippet declared, Set<String> used) {
        return resting(List.of(declared)).keySet().stream().anyMatch(one -> used.contains(one.name()));
    }

    /** What rests on what is declared, by way of other things too, with what that is. */
    private Map<Snippet, Snippet> resting(List<Snippet> own) {
        Set<Key> keys = new HashSet<>();
        own.forEach(one -> keys.add(one.key()));
        Map<Snippet, Snippet> resting = new LinkedHashMap<>();
        for (Snippet cause : own) {
            Set<Snippet> seen = new LinkedHashSet<>();
            Deque<Snippet> left = new ArrayDeque<>(List.of(cause));
            while (!left.isEmpty()) {
                for (Snippet one : shell.maps.getDependents(left.remove())) {
                    if (!one.status().isActive() || !(one instanceof DeclarationSnippet) || !seen.add(one)) continue;
                    left.add(one);
                    if (!keys.contains(one.key())) resting.putIfAbsent(one, cause);
                }
            }
        }
        return resting;
    }

    /** What makes of what is known to the shell again what it is now. */
    private List<Runnable> restoring(List<Snippet> own, Set<Snippet> resting) {
        List<Runnable> restoring = new ArrayList<>();
        for (Snippet one : own) {
            Snippet old = shell.maps.getSnippet(one.key());
            if (old == null) continue;
            Snippet.Status status = old.status();
            List<String> unresolved = old.unresolved();
            DiagList diagnostics = old.diagnostics();
            restoring.add(() -> old.setCompilationStatus(status, unresolved, diagnostics));
        }
        for (Snippet one : resting) {
            OuterWrap wrap = one.outerWrap();
            int number = one.sequenceNumber();
            restoring.add(() -> one.setOuterWrap(wrap));
            restoring.add(() -> one.setSequenceNumber(number));
        }
        return restoring;
    }

    private List<Unit> units(List<Snippet> own, Map<Snippet, Snippet> resting) {
        List<Unit> units = new ArrayList<>();
        for (Snippet one : own) units.add(new Unit(shell, one, null, one.syntheticDiags()));
        resting.forEach((one, cause) -> units.add(new Unit(shell, one, cause, new DiagList())));
        units.forEach(this::name);
        wrap(units, units);
        return units;
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

    private static boolean isJoinable(Snippet one) {
        // A method without a body is none yet.
        boolean isWhole = !(one instanceof MethodSnippet) || ((MethodSnippet) one).unresolvedSelf == null;
        return isWhole && KINDS.contains(one.kind());
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

    /** Put classes around those of the units that are right, which import what their code names. */
    private void wrap(List<Unit> units, List<Unit> right) {
        Map<String, Set<Unit>> known = new HashMap<>();
        Set<Unit> all = new LinkedHashSet<>(units);
        for (Snippet one : active()) {
            Unit unit = new Unit(shell, one, one, new DiagList());
            if (all.contains(unit)) continue;
            known.computeIfAbsent(one.name(), first -> new HashSet<>()).add(unit);
            all.add(unit);
        }
        Map<String, Unit> fresh = new HashMap<>();
        for (Unit unit : right) {
            if (!(unit.snippet() instanceof PersistentSnippet)) continue;
            if (fresh.put(unit.snippet().name(), unit) != null) throw new IllegalStateException(unit.toString());
        }
        for (Unit unit : right) {
            Set<Unit> hidden = new LinkedHashSet<>(all);
            Set<Unit> seen = new LinkedHashSet<>(Set.of(unit));
            for (String word : words(unit.snippet().source())) {
                hidden.removeAll(known.getOrDefault(word, Set.of()));
                if (fresh.containsKey(word)) seen.add(fresh.get(word));
            }
            unit.setWrap(hidden, seen);
        }
    }

    /** What the compiler says of each. */
    private static Map<Snippet, DiagList> told(List<Unit> units, TaskFactory.AnalyzeTask task) {
        Map<Snippet, DiagList> told = new HashMap<>();
        // The task's own list has only once what is said of several.
        for (var one : task.diagnostics.getDiagnostics()) {
            Diag diag = task.diag(one);
            told.computeIfAbsent(diag.snippetOrNull(), first -> new DiagList()).add(diag);
        }
        if (told.containsKey(null)) throw new IllegalStateException(told.get(null).toString());
        boolean isRight = told.values().stream().noneMatch(DiagList::hasErrors);
        for (Unit unit : units) {
            unit.setDiagnostics(told.getOrDefault(unit.snippet(), NOTHING));
            if (isRight) unit.setStatus(task);
        }
        return told;
    }

    /** As the shell does, keep what rests on them even where it is wrong by now, but for its code. */
    private void judge(List<Unit> units) {
        units.forEach(unit -> unit.corralIfNeeded(units));
        wrap(units, units);
        shell.taskFactory.analyze(wraps(units), task -> {
            units.forEach(unit -> unit.setCorralledDiagnostics(task));
            units.forEach(unit -> unit.setStatus(task));
            return null;
        });
    }

    /** The statements after whose end the compiler takes no more. */
    private static Set<String> endless(Map<Snippet, DiagList> told) {
        Set<String> endless = new HashSet<>();
        told.forEach((snippet, diags) -> {
            if (snippet instanceof StatementSnippet && diags.hasUnreachableError()) endless.add(snippet.source());
        });
        return endless;
    }

    /** Have a snippet know that it was rejected, and why. */
    private static void refuse(Snippet one, Map<Snippet, DiagList> told) {
        one.setFailed(told.getOrDefault(one, NOTHING));
        one.setId("");
    }

    /** Have the shell know what was found right. */
    private void declare(List<Unit> units) {
        ClassBytecodes[] made = null;
        while (made == null) {
            List<Unit> right = units.stream().filter(Unit::isDefined).toList();
            wrap(units, right);
            made = shell.taskFactory.compile(wraps(right), task -> compiled(right, task));
        }
        try {
            shell.executionControl().load(made);
        } catch (ExecutionControlException refused) {
            throw new IllegalStateException(refused);
        }
        shell.classTracker.markLoaded(made);
        units.forEach(Unit::finish);
    }

    /** The classes; null if some of the units turn out to be wrong, since they rest on one that is. */
    private static ClassBytecodes[] compiled(List<Unit> units, TaskFactory.CompileTask task) {
        if (task.compile()) {
            return units.stream()
                .flatMap(unit -> unit.classesToLoad(task.classList(unit.snippet().outerWrap())))
                .toArray(ClassBytecodes[]::new);
        }
        List<Unit> wrong = units.stream().filter(unit -> unit.smashingErrorDiagnostics(task)).toList();
        if (wrong.isEmpty() || !wrong.stream().allMatch(Unit::isDependency)) {
            throw new IllegalStateException(task.getDiagnostics().toString());
        }
        return null;
    }

    /** What has happened to each, and to what rests on it; to those without a unit, nothing has. */
    private static List<List<SnippetEvent>> events(List<List<Snippet>> read, List<Unit> units) {
        Map<Snippet, List<SnippetEvent>> caused = new HashMap<>();
        for (Unit unit : units) {
            SnippetEvent event = unit.event(null, null);
            Snippet cause = event.causeSnippet() == null ? unit.snippet() : event.causeSnippet();
            List<SnippetEvent> all = caused.computeIfAbsent(cause, first -> new ArrayList<>());
            all.add(event);
            all.addAll(unit.secondaryEvents());
        }
        List<List<SnippetEvent>> events = new ArrayList<>();
        for (List<Snippet> one : read) {
            List<SnippetEvent> own = new ArrayList<>();
            for (Snippet snippet : one) {
                own.addAll(caused.getOrDefault(snippet, List.of(new SnippetEvent(
                    snippet, Snippet.Status.NONEXISTENT, snippet.status(), false, null, null, null))));
            }
            events.add(own);
        }
        return events;
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
