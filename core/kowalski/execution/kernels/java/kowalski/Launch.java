package kowalski;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;

/** What a main thread calls, and the classes that it sees. */
record Launch(MethodHandle body, ClassLoader classes) {
    private static final String MAIN = "main";

    /** A method without arguments of no instance. */
    static Launch of(Method method) throws IllegalAccessException {
        return new Launch(called(method), method.getDeclaringClass().getClassLoader());
    }

    /** A class's `main`, with the run's arguments or without; null if there is none that can be called. */
    static Launch of(Class<?> type, boolean isGiven) throws ReflectiveOperationException {
        try {
            MethodHandle body = called(
                isGiven ? type.getDeclaredMethod(MAIN, String[].class) : type.getDeclaredMethod(MAIN));
            if (isGiven) {
                int last = body.type().parameterCount() - 1;
                body = MethodHandles.insertArguments(body, last, (Object) Arguments.given());
            }
            // Of an instance, which is made by the thread itself.
            if (body.type().parameterCount() > 0) {
                if (type.isInterface() || Modifier.isAbstract(type.getModifiers())) return null;
                Constructor<?> constructor = type.getDeclaredConstructor();
                constructor.setAccessible(true);
                MethodHandle made = MethodHandles.lookup().unreflectConstructor(constructor);
                body = MethodHandles.foldArguments(body, made);
            }
            return new Launch(body, type.getClassLoader());
        } catch (NoSuchMethodException none) {
            return null;
        }
    }

    private static MethodHandle called(Method method) throws IllegalAccessException {
        method.setAccessible(true);
        return MethodHandles.lookup().unreflect(method).asFixedArity();
    }
}
