package kowalski;

import com.sun.source.tree.ArrayTypeTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.VariableTree;
import java.util.List;
import java.util.Set;
import javax.lang.model.element.Modifier;

/** The `main` of a declaration: its type ("" for a method by itself), and whether it takes arguments. */
record Entry(String type, boolean isGiven) {
    private static final String METHOD = "main";

    /** The `main` of what declares one type or one method; null if none could start a program. */
    static Entry of(String declaration) {
        if (!declaration.contains(METHOD)) return null;
        for (Tree member : members(declaration)) {
            if (member instanceof MethodTree && isMain((MethodTree) member)) {
                return of("", (MethodTree) member);
            }
            if (!(member instanceof ClassTree)) continue;
            ClassTree type = (ClassTree) member;
            for (Tree inner : type.getMembers()) {
                if (!(inner instanceof MethodTree) || !isMain((MethodTree) inner)) continue;
                Entry found = of(type.getSimpleName().toString(), (MethodTree) inner);
                boolean isStatic = ((MethodTree) inner).getModifiers().getFlags().contains(Modifier.STATIC);
                if (isStatic || isMade(type)) return found;
            }
        }
        return null;
    }

    /** Within a class, a method may stand as well as a type. */
    private static List<? extends Tree> members(String declaration) {
        for (Tree whole : Syntax.of("class $ {" + declaration + "\n}").types()) {
            if (whole instanceof ClassTree) return ((ClassTree) whole).getMembers();
        }
        return List.of();
    }

    private static Entry of(String type, MethodTree main) {
        return new Entry(type, !main.getParameters().isEmpty());
    }

    private static boolean isMain(MethodTree method) {
        return method.getName().contentEquals(METHOD) && method.getBody() != null
            && "void".equals(String.valueOf(method.getReturnType()))
            && !method.getModifiers().getFlags().contains(Modifier.PRIVATE)
            && method.getParameters().size() <= 1
            && method.getParameters().stream().allMatch(Entry::isTexts);
    }

    private static boolean isTexts(VariableTree parameter) {
        return parameter.getType() instanceof ArrayTypeTree
            && ((ArrayTypeTree) parameter.getType()).getType().toString().matches("(java\\.lang\\.)?String");
    }

    /** Whether `new` makes one without arguments. */
    private static boolean isMade(ClassTree type) {
        if (type.getKind() != Tree.Kind.CLASS) return false;
        if (type.getModifiers().getFlags().contains(Modifier.ABSTRACT)) return false;
        boolean isAny = false;
        for (Tree member : type.getMembers()) {
            if (!(member instanceof MethodTree)) continue;
            MethodTree method = (MethodTree) member;
            if (!method.getName().contentEquals("<init>")) continue;
            Set<Modifier> flags = method.getModifiers().getFlags();
            if (method.getParameters().isEmpty()) return !flags.contains(Modifier.PRIVATE);
            isAny = true;
        }
        return !isAny;
    }
}
