package kowalski;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import jdk.jshell.execution.LoaderDelegate;
import jdk.jshell.spi.ExecutionControl.ClassBytecodes;

/** The classes of the shell, each changed to what a program shows of itself when it is first used. */
final class Loader implements LoaderDelegate {
    private final class Classes extends ClassLoader {
        Classes() {
            super(ClassLoader.getSystemClassLoader());
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] found = compiled.get(name);
            if (found == null) throw new ClassNotFoundException(name);
            ClassFile file = new ClassFile(found);
            Exits.redirect(file);
            Lines lines = located.get(name);
            if (lines != null) file.locate(lines.file(), lines::line);
            file.rename(names::renamed);
            byte[] bytes = file.bytes();
            Class<?> defined = defineClass(name, bytes, 0, bytes.length);
            compiled.remove(name);
            return defined;
        }
    }

    private final Names names = new Names();
    private final Classes classes = new Classes();
    // The program's threads load what is there while the shell brings more.
    private final Map<String, byte[]> compiled = new ConcurrentHashMap<>();
    private final Map<String, Lines> located = new ConcurrentHashMap<>();
    private Map<String, Set<String>> latest = new LinkedHashMap<>();

    @Override
    public void load(ClassBytecodes[] loaded) {
        for (ClassBytecodes one : loaded) {
            String name = names.renamed(one.name());
            String key = Names.key(one.name());
            compiled.put(name, one.bytecodes());
            if (key != null) latest.computeIfAbsent(key, first -> new HashSet<>()).add(name);
        }
    }

    /** Take what came since the last time: names of classes, by keys of the shell's classes that they are in. */
    Map<String, Set<String>> latest() {
        Map<String, Set<String>> taken = latest;
        latest = new LinkedHashMap<>();
        return taken;
    }

    /** Tell whose lines classes have. */
    void locate(Set<String> types, Lines lines) {
        for (String name : types) located.put(name, lines);
    }

    /** The block that a class is of; null for one that is of none. */
    Block block(String name) {
        Lines lines = located.get(name);
        return lines == null ? null : lines.block();
    }

    @Override
    public Class<?> findClass(String name) throws ClassNotFoundException {
        return classes.loadClass(names.renamed(name));
    }

    @Override
    public void classesRedefined(ClassBytecodes[] redefined) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void addToClasspath(String path) {
        throw new UnsupportedOperationException();
    }
}
