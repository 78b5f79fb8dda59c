package kowalski;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import javax.tools.Diagnostic;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/** What the compiler's parser alone makes of code: its types, and what is wrong with its form. */
record Syntax(List<Tree> types, List<Diagnostic<?>> problems) {
    private static final List<String> OPTIONS = List.of("-proc:none");
    private static final JavaCompiler COMPILER = ToolProvider.getSystemJavaCompiler();
    private static final StandardJavaFileManager FILES =
        COMPILER.getStandardFileManager(null, null, null);

    private static final class Source extends SimpleJavaFileObject {
        private final String code;

        Source(String code) {
            super(URI.create("block:///Syntax.java"), Kind.SOURCE);
            this.code = code;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return code;
        }
    }

    static Syntax of(String code) {
        List<Tree> types = new ArrayList<>();
        List<Diagnostic<?>> problems = new ArrayList<>();
        JavacTask task = (JavacTask) COMPILER.getTask(
            Writer.nullWriter(), FILES, problems::add, OPTIONS, null, List.of(new Source(code)));
        try {
            for (CompilationUnitTree unit : task.parse()) types.addAll(unit.getTypeDecls());
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return new Syntax(types, problems);
    }
}
