//! What a served document says beyond the Rust types, written as Rust that builds it with utoipa:
//! texts, constraints, examples, headers, vendor extensions. Part of build.rs. Not here: names,
//! types, null and absent, scopes and statuses; the document takes those from the compiled code.

use serde_json::{Value, json};

use super::{METHODS, members, members_mut};

mod rust;
mod schema;

use rust::{
    deprecated, extended, extension_members, extensions, literal, parsed, snake_case, texts, tokens,
};
use schema::{has_type, object_changes, prepare_property};

/// Adds to the spec that the generator gets what the templates put into the generated code.
pub(super) fn prepare(spec: &Value, made: &mut Value) {
    made["x-document"] = json!(document(spec));
    for (path, item) in members(spec.get("paths")) {
        for (method, source) in members(Some(item)).filter(|(key, _)| is_method(key)) {
            let operation = &mut made["paths"][path][method];
            operation["x-extensions"] = json!(extensions(source, &["x-minimum-role"], &[]));
            operation["x-responses"] = json!(responses(spec, source));
            operation["x-calls"] = json!(operation_calls(spec, source));
        }
    }
    let mut functions = Vec::new();
    for (name, schema) in members_mut(made.pointer_mut("/components/schemas")) {
        let source = &spec["components"]["schemas"][name];
        if let Some(description) = source["description"].as_str() {
            schema["x-doc"] = json!(literal(description));
        }
        let changes = object_changes(source);
        if !changes.is_empty() {
            schema["x-object"] = json!(changes);
        }
        for (property, schema) in members_mut(schema.get_mut("properties")) {
            let function = format!("{}_{}", snake_case(name), snake_case(property));
            let source = &source["properties"][property];
            functions.extend(prepare_property(spec, source, schema, function));
        }
    }
    made["x-schemas-without-a-type"] = json!(functions);
}

/// The calls on `OpenApiBuilder`, and the statements for components and path items.
fn document(spec: &Value) -> Value {
    let info = &spec["info"];
    let mut head = format!(
        ".info({}",
        texts("InfoBuilder::new()", info, &["title", "version"], &[])
    );
    head += &texts("", info, &[], &["description", "terms_of_service"]);
    if let Some(contact) = info.get("contact") {
        let contact = texts(
            "ContactBuilder::new()",
            contact,
            &[],
            &["name", "url", "email"],
        );
        head += &format!(".contact(Some({contact}.build()))");
    }
    if let Some(license) = info.get("license") {
        let license = texts(
            "LicenseBuilder::new()",
            license,
            &["name"],
            &["url", "identifier"],
        );
        head += &format!(".license(Some({license}.build()))");
    }
    // utoipa has no field for the summary.
    head += &(extended(info, &["summary"]) + ".build())");
    for (key, builder, name) in [
        ("servers", "ServerBuilder", "url"),
        ("tags", "TagBuilder", "name"),
    ] {
        if let Some(entries) = spec[key].as_array() {
            let start = format!("{builder}::new()");
            let entry = |entry| texts(&start, entry, &[name], &["description"]) + ".build()";
            let entries: Vec<String> = entries.iter().map(entry).collect();
            head += &format!(".{key}(Some([{}]))", entries.join(", "));
        }
    }
    if spec["security"].as_array().is_some_and(Vec::is_empty) {
        head += ".security(Some([]))";
    }
    json!({"head": head, "components": components(spec), "items": path_items(spec)})
}

/// Statements that give path items what they have beside their operations.
fn path_items(spec: &Value) -> String {
    let mut statements = String::new();
    for (path, item) in members(spec.get("paths")) {
        let mut changes = String::new();
        for key in ["summary", "description"] {
            if let Some(text) = item[key].as_str() {
                changes += &format!("item.{key} = Some({}.into());", literal(text));
            }
        }
        if let Some(parameters) = item["parameters"].as_array() {
            let parameter = |parameter: &Value| match parameter["$ref"].as_str() {
                Some(target) => format!("RefOr::Ref(Ref::new({}))", literal(target)),
                None => format!("RefOr::T({})", self::parameter(spec, parameter)),
            };
            let parameters: Vec<String> = parameters.iter().map(parameter).collect();
            changes += &format!("item.parameters = Some(vec![{}]);", parameters.join(", "));
        }
        if extension_members(item).next().is_some() {
            changes += &format!("item.extensions = {};", extensions(item, &[], &[]));
        }
        if !changes.is_empty() {
            let path = literal(path);
            statements +=
                &format!("paths.paths.entry({path}.into()).and_modify(|item| {{ {changes} }});");
        }
    }
    statements
}

/// Statements that add every component but those that the models stand for.
fn components(spec: &Value) -> String {
    let components = &spec["components"];
    let mut made = Vec::new();
    for (name, header) in members(components.get("headers")) {
        made.push(("header", name, self::header(spec, header)));
    }
    for (name, parameter) in members(components.get("parameters")) {
        made.push(("parameter", name, self::parameter(spec, parameter)));
    }
    for (name, response) in members(components.get("responses")) {
        made.push(("response", name, self::response(spec, response)));
    }
    for (name, schema) in members(components.get("schemas")).filter(|(_, s)| !has_type(s)) {
        made.push(("schema", name, schema::schema(spec, schema)));
    }
    for (name, scheme) in members(components.get("securitySchemes")) {
        let optional = |key: &str| match scheme[key].as_str() {
            Some(text) => format!("Some({})", literal(text)),
            None => "None".to_owned(),
        };
        let (format, description) = (optional("bearerFormat"), optional("description"));
        let extensions = extensions(scheme, &[], &[]);
        let scheme = format!("bearer({format}, {description}, {extensions})");
        made.push(("security_scheme", name, scheme));
    }
    let statement = |(method, name, component): (&str, &String, String)| {
        format!(
            "components = components.{method}({}, {component});\n",
            literal(name)
        )
    };
    made.into_iter().map(statement).collect()
}

/// The calls on an operation's builder for what its `Operation` does not say.
fn operation_calls(spec: &Value, operation: &Value) -> String {
    let mut calls = texts("", operation, &[], &["summary", "description"]);
    if let Some(tags) = operation.get("tags") {
        calls += &format!(".tags(Some({}))", tokens(tags));
    }
    calls += deprecated(operation);
    if operation["security"].as_array().is_some_and(Vec::is_empty) {
        calls += ".securities(Some([]))";
    }
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        calls += &match parameter["$ref"].as_str() {
            Some(target) => format!(".parameter_ref(Ref::new({}))", literal(target)),
            None => format!(".parameter({})", self::parameter(spec, parameter)),
        };
    }
    if let Some(body) = operation.get("requestBody") {
        let mut made = texts("RequestBodyBuilder::new()", body, &[], &["description"]);
        if body["required"] == true {
            made += ".required(Some(Required::True))";
        }
        made += &content(spec, body);
        made += &(extended(body, &[]) + ".build()");
        calls += &format!(".request_body(Some({made}))");
    }
    calls
}

/// The responses in the order of the operation's statuses.
fn responses(spec: &Value, operation: &Value) -> String {
    let made: Vec<String> = members(operation.get("responses"))
        .map(|(_, response)| match response["$ref"].as_str() {
            Some(target) => format!("Ref::new({}).into()", literal(target)),
            None => format!("{}.into()", self::response(spec, response)),
        })
        .collect();
    made.join(",\n")
}

fn response(spec: &Value, response: &Value) -> String {
    let mut made = texts("ResponseBuilder::new()", response, &["description"], &[]);
    for (name, header) in members(response.get("headers")) {
        let name = literal(name);
        made += &match header["$ref"].as_str() {
            Some(target) => format!(".header_ref({name}, Ref::new({}))", literal(target)),
            None => format!(".header({name}, {})", self::header(spec, header)),
        };
    }
    made += &content(spec, response);
    made + &extended(response, &[]) + ".build()"
}

fn content(spec: &Value, holder: &Value) -> String {
    let mut calls = String::new();
    for (media_type, content) in members(holder.get("content")) {
        let schema = schema::schema(spec, &content["schema"]);
        let mut made = format!("ContentBuilder::new().schema(Some({schema}))");
        if let Some(example) = content.get("example") {
            made += &format!(".example(Some({}))", parsed(example));
        }
        let examples: Vec<String> = members(content.get("examples"))
            .map(|(name, example)| {
                let start = "ExampleBuilder::new()";
                let texts = texts(start, example, &["summary", "description"], &[]);
                let value = parsed(&example["value"]);
                format!("({}, {texts}.value(Some({value})).build())", literal(name))
            })
            .collect();
        if !examples.is_empty() {
            made += &format!(".examples_from_iter([{}])", examples.join(", "));
        }
        made += &(extended(content, &[]) + ".build()");
        calls += &format!(".content({}, {made})", literal(media_type));
    }
    calls
}

fn header(spec: &Value, header: &Value) -> String {
    let schema = schema::schema(spec, &header["schema"]);
    let start = format!("HeaderBuilder::new().schema(Some({schema}))");
    let mut made = texts(&start, header, &[], &["description"]);
    if let Some(example) = header.get("example") {
        made += &format!(".example(Some({}))", parsed(example));
    }
    made += deprecated(header);
    // utoipa has no field for `required`.
    made + &extended(header, &["required"]) + ".build()"
}

fn parameter(spec: &Value, parameter: &Value) -> String {
    let place = match parameter["in"].as_str() {
        Some("path") => "Path",
        Some("header") => "Header",
        _ => "Query",
    };
    let is_required = if parameter["required"] == true {
        "True"
    } else {
        "False"
    };
    let schema = schema::schema(spec, &parameter["schema"]);
    let start = format!(
        "ParameterBuilder::new().parameter_in(ParameterIn::{place})\
         .required(Required::{is_required}).schema(Some({schema}))"
    );
    let mut made = texts(&start, parameter, &["name"], &["description"]);
    if let Some(explode) = parameter.get("explode") {
        made += &format!(".explode(Some({explode}))");
    }
    if let Some(example) = parameter.get("example") {
        made += &format!(".example(Some({}))", parsed(example));
    }
    made += deprecated(parameter);
    match parameter["style"].as_str() {
        Some("form") => made += ".style(Some(ParameterStyle::Form))",
        Some("simple") => made += ".style(Some(ParameterStyle::Simple))",
        _ => {}
    }
    // utoipa has no field for `examples`.
    made + &extended(parameter, &["examples"]) + ".build()"
}

fn is_method(key: &str) -> bool {
    METHODS.contains(&key)
}
