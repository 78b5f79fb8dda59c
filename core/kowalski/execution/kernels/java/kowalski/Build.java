import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import javax.tools.ToolProvider;

/** Makes the kernel from its sources: `java Build.java SOURCES MADE JAVA FLAG...`. */
final class Build {
    public static void main(String[] arguments) throws Exception {
        Path made = Path.of(arguments[1]);
        Path jar = made.resolve("kernel.jar");
        compile(Path.of(arguments[0]), made.resolve("classes"));
        extend(Path.of(arguments[0]), made.resolve("classes"));
        pack(made.resolve("classes"), jar);
        archive(made, jar, List.of(arguments).subList(2, arguments.length));
    }

    private static void compile(Path sources, Path classes) throws IOException {
        List<String> words = new ArrayList<>(List.of(
            "-d", classes.toString(), "-proc:none", "-nowarn", "-XDignore.symbol.file",
            "-encoding", "UTF-8", "-classpath", sources.resolve("none").toString()));
        try (Stream<Path> files = Files.list(sources.resolve("kowalski"))) {
            files.map(Path::toString).filter(name -> name.endsWith(".java"))
                .filter(name -> !name.endsWith("Build.java")).forEach(words::add);
        }
        int status = ToolProvider.getSystemJavaCompiler()
            .run(null, System.err, System.err, words.toArray(String[]::new));
        if (status != 0) System.exit(status);
    }

    /** Compile what extends the JDK's shell from within, if this JDK's is as it expects. */
    private static void extend(Path sources, Path classes) {
        ToolProvider.getSystemJavaCompiler().run(
            null, OutputStream.nullOutputStream(), OutputStream.nullOutputStream(),
            "-d", classes.toString(), "-proc:none", "-nowarn", "-encoding", "UTF-8",
            "--patch-module", "jdk.jshell=" + sources, sources.resolve("jdk/jshell/Joint.java").toString());
    }

    private static void pack(Path classes, Path jar) throws IOException {
        Manifest manifest = new Manifest();
        Attributes main = manifest.getMainAttributes();
        main.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        main.put(Attributes.Name.MAIN_CLASS, "kowalski.Kernel");
        // For descriptors by their numbers, and to extend the shell.
        main.put(new Attributes.Name("Add-Opens"), "java.base/java.io jdk.jshell/jdk.jshell");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file, manifest);
                Stream<Path> found = Files.walk(classes)) {
            for (Path path : (Iterable<Path>) found.filter(Files::isRegularFile)::iterator) {
                out.putNextEntry(new JarEntry(classes.relativize(path).toString()));
                Files.copy(path, out);
                out.closeEntry();
            }
        }
    }

    /** What the kernel has loaded once it is warm, in the form that the next one maps. */
    private static void archive(Path made, Path jar, List<String> java) throws Exception {
        List<String> command = new ArrayList<>(java);
        command.add("-XX:ArchiveClassesAtExit=" + made.resolve("kernel.jsa"));
        command.addAll(List.of("-jar", jar.toString(), "once"));
        int status = new ProcessBuilder(command).inheritIO().start().waitFor();
        if (status != 0) System.exit(status);
    }
}
