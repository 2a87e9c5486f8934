package javax.annotation;

/** Mark on generated code. Maven would bring it, and the JDK has had none since version 11. */
public @interface Generated {
    String[] value();

    String date() default "";

    String comments() default "";
}
