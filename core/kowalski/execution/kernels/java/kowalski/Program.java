package kowalski;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

import static java.nio.charset.StandardCharsets.UTF_8;

/** Compiles whole programs in memory and runs them. Nothing but the block and the JDK is seen. */
final class Program {
    // Joining strings in the new way takes dozens of milliseconds for the first.
    private static final List<String> OPTIONS =
        List.of("-proc:none", Findings.LINT, "-g", "-XDstringConcat=inline");

    private static final class Source extends SimpleJavaFileObject {
        private final Block block;

        Source(Block block) {
            super(named(block.label), Kind.SOURCE);
            this.block = block;
        }

        /** What traces call it is the end of this. */
        private static URI named(String label) {
            try {
                return new URI("block", null, "/" + label, null);
            } catch (URISyntaxException impossible) {
                throw new IllegalArgumentException(impossible);
            }
        }

        @Override
        public String getName() {
            return block.label;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return block.code;
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return kind == Kind.SOURCE;
        }
    }

    /** Keeps what is compiled. */
    private static final class Classes extends ForwardingJavaFileManager<JavaFileManager> {
        final Map<String, ByteArrayOutputStream> bytes = new LinkedHashMap<>();

        Classes(JavaFileManager files) {
            super(files);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
            return new SimpleJavaFileObject(URI.create("class:///" + name), kind) {
                @Override
                public OutputStream openOutputStream() {
                    ByteArrayOutputStream made = new ByteArrayOutputStream();
                    bytes.put(name, made);
                    return made;
                }
            };
        }
    }

    /** Its parent knows the JDK alone: no class file of a folder's can stand in for the block's. */
    private static final class Loader extends ClassLoader {
        private final Map<String, ByteArrayOutputStream> bytes;

        Loader(Map<String, ByteArrayOutputStream> bytes) {
            super(ClassLoader.getPlatformClassLoader());
            this.bytes = bytes;
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            if (name.equals(Exits.class.getName())) return Exits.class;
            ByteArrayOutputStream found = bytes.get(name);
            if (found == null) throw new ClassNotFoundException(name);
            ClassFile file = new ClassFile(found.toByteArray());
            Exits.redirect(file);
            byte[] compiled = file.bytes();
            return defineClass(name, compiled, 0, compiled.length);
        }
    }

    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files;
    private final Consumer<Findings> warn;
    private final Runnable begins;

    /** `warn` hears of warnings, before the program begins, and `begins` that it does. */
    Program(Consumer<Findings> warn, Runnable begins) throws IOException {
        this.warn = warn;
        this.begins = begins;
        files = compiler.getStandardFileManager(null, Locale.ENGLISH, UTF_8);
        files.setLocation(StandardLocation.CLASS_PATH, List.of());
        files.setLocation(StandardLocation.SOURCE_PATH, List.of());
    }

    /** Compile a block and call its `main`, if it has one. */
    void run(Block block) throws Failure {
        Map<String, ByteArrayOutputStream> bytes = compile(block);
        begins.run();
        try {
            launch(new Loader(bytes), bytes.keySet());
        } catch (Throwable thrown) {
            throw new Trace(block.label, frame -> block.label.equals(frame.getFileName())).of(thrown);
        }
    }

    private Map<String, ByteArrayOutputStream> compile(Block block) throws Failure {
        DiagnosticCollector<JavaFileObject> told = new DiagnosticCollector<>();
        Classes classes = new Classes(files);
        List<Source> sources = List.of(new Source(block));
        StringWriter said = new StringWriter();
        boolean done = compiler.getTask(said, classes, told, OPTIONS, null, sources).call();
        Findings found = new Findings(block);
        for (Diagnostic<?> diagnosis : told.getDiagnostics()) {
            String message = diagnosis.getMessage(Locale.ENGLISH);
            int offset = (int) diagnosis.getPosition();
            switch (diagnosis.getKind()) {
                case ERROR -> found.error(offset, diagnosis.getCode(), message);
                case WARNING, MANDATORY_WARNING -> found.warning(offset, diagnosis.getCode(), message);
                default -> { }
            }
        }
        if (done) {
            if (!found.messages().isEmpty()) warn.accept(found);
            return classes.bytes;
        }
        if (!found.hasErrors() && said.toString().contains(StackOverflowError.class.getName())) {
            throw Findings.tooDeep();
        }
        if (!found.hasErrors()) found.error(0, "", "the compiler failed");
        throw found.failure();
    }

    private static void launch(Loader loader, Iterable<String> names) throws Throwable {
        List<Class<?>> types = new ArrayList<>();
        for (String name : names) types.add(loader.loadClass(name));
        for (boolean isGiven : new boolean[] {true, false}) {
            for (Class<?> type : types) {
                Launch main = type.getEnclosingClass() == null ? Launch.of(type, isGiven) : null;
                if (main == null) continue;
                Turn.call(main);
                return;
            }
        }
    }
}
