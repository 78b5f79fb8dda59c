package kowalski;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;

/** The program's own threads: one called main, in a group whose deaths are told as Java tells them. */
public final class Turn {
    private static final class Group extends ThreadGroup {
        Group() {
            super("main");
        }

        @Override
        public void uncaughtException(Thread thread, Throwable error) {
            if (error instanceof ThreadDeath || error instanceof Exits.Exited) return;
            System.err.print("Exception in thread \"" + thread.getName() + "\" ");
            error.printStackTrace();
        }
    }

    private static final List<Group> groups = new ArrayList<>();
    private static volatile Method compiled;
    private static volatile Thread main;

    private final Method method;
    private final Object[] arguments;
    private Object result;
    private Throwable problem;

    private Turn(Method method, Object... arguments) {
        this.method = method;
        this.arguments = arguments;
    }

    /** A method without arguments that calls `method` in a thread of the program's. */
    static Method of(Method method) throws NoSuchMethodException {
        compiled = method;
        return Turn.class.getMethod("take");
    }

    /** Call what `of` was given. */
    public static Object take() throws Throwable {
        return call(compiled, null);
    }

    /** Call a method in a thread of the program's, and wait for that thread. */
    static Object call(Method method, Object target, Object... arguments) throws Throwable {
        Turn turn = new Turn(method, arguments);
        Group group = new Group();
        groups.removeIf(earlier -> earlier.activeCount() == 0);
        groups.add(group);
        Thread thread = new Thread(group, () -> turn.run(target), "main");
        thread.setContextClassLoader(method.getDeclaringClass().getClassLoader());
        main = thread;
        thread.start();
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException stopped) {
                // The program was told as well.
                thread.interrupt();
            }
        }
        if (turn.problem != null) throw turn.problem;
        return turn.result;
    }

    /** Wait for the threads that the program has left behind, as Java does. */
    static void awaitOthers() throws InterruptedException {
        for (Thread other = another(); other != null; other = another()) other.join();
        groups.clear();
    }

    /** End what the main thread does, where this Java still can; else ask it to. */
    static void stop() {
        Thread thread = main;
        if (thread == null) return;
        thread.interrupt();
        try {
            Thread.class.getMethod("stop").invoke(thread);
        } catch (ReflectiveOperationException gone) {
            // Since Java 20 nothing can.
            return;
        }
    }

    private static Thread another() {
        for (Group group : groups) {
            Thread[] found = new Thread[group.activeCount() + 1];
            int count = group.enumerate(found);
            for (int i = 0; i < count; i++) {
                if (found[i].isAlive() && !found[i].isDaemon()) return found[i];
            }
        }
        return null;
    }

    private void run(Object target) {
        try {
            method.setAccessible(true);
            result = method.invoke(target, arguments);
        } catch (InvocationTargetException thrown) {
            problem = thrown.getCause();
        } catch (Throwable thrown) {
            problem = thrown;
        }
    }
}
