#include <fleetarium/feed/feed_documents.hpp>

#include <fleetarium/feed/question_table.hpp>

#include <fleetarium/feed/feed_types.hpp>

#include <nlohmann/json.hpp>

namespace fleetarium::feed {

namespace {

using json = nlohmann::ordered_json;

json schema_of(nlohmann::json (*make)()) { return json::parse(make().dump()); }

json error_response(const char* what) {
    return {{"description", what},
            {"content",
             {{"application/json",
               {{"schema",
                 {{"type", "object"},
                  {"required", {"error"}},
                  {"properties", {{"error", {{"type", "string"}}}}}}}}}}}};
}

}  // namespace

std::string openapi_document() {
    json paths = json::object();
    for (const question_entry& each : question_table()) {
        const json parameters = schema_of(each.parameters_schema);
        json made;
        made["operationId"] = each.name;
        made["summary"] = each.what;
        if (each.is_command) {
            made["requestBody"] = {{"content", {{"application/json", {{"schema", parameters}}}}}};
        } else {
            made["parameters"] = json::array();
            for (const auto& [name, schema] : parameters["properties"].items()) {
                made["parameters"].push_back({{"name", name}, {"in", "query"}, {"schema", schema}});
            }
        }
        made["responses"] = {
            {"200",
             {{"description", "The answer."},
              {"content", {{"application/json", {{"schema", schema_of(each.answer_schema)}}}}}}},
            {"400", error_response("What is wrong with the question.")},
            {"409", error_response("What is shown here cannot do this.")}};
        paths["/api/" + std::string(each.name)][each.is_command ? "post" : "get"] = made;
    }
    const json out = {
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "Fleetarium"},
          {"version", "1"},
          {"description",
           "Questions to, and commands for, what is shown. Instants "
           "are seconds since the beginning of the run."}}},
        {"paths", paths},
        {"components",
         {{"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
        {"security", {json::object(), {{"token", json::array()}}}}};
    return out.dump(1);
}

std::string asyncapi_document() {
    json questions = json::array();
    json answers = json::array();
    for (const question_entry& each : question_table()) {
        const std::string name(each.name);
        json asked = {{"type", "object"},
                      {"required", {"id", "ask"}},
                      {"properties",
                       {{"id", {{"type", "integer"}, {"minimum", 0}}},
                        {"ask", {{"const", name}}},
                        {"with", schema_of(each.parameters_schema)}}},
                      {"additionalProperties", false}};
        if (!each.is_command) {
            asked["properties"]["every"] = {{"type", "number"}, {"minimum", 0.05}, {"maximum", 60}};
        }
        questions.push_back({{"name", "ask " + name}, {"summary", each.what}, {"payload", asked}});
        answers.push_back({{"name", "answer to " + name},
                           {"payload",
                            {{"type", "object"},
                             {"required", {"id", "answer"}},
                             {"properties",
                              {{"id", {{"type", "integer"}, {"minimum", 0}}},
                               {"answer", schema_of(each.answer_schema)}}},
                             {"additionalProperties", false}}}});
    }
    questions.push_back(
        {{"name", "cancel"},
         {"payload",
          {{"type", "object"},
           {"required", {"id", "cancel"}},
           {"properties",
            {{"id", {{"type", "integer"}, {"minimum", 0}}}, {"cancel", {{"const", true}}}}},
           {"additionalProperties", false}}}});
    answers.push_back(
        {{"name", "error"},
         {"payload",
          {{"type", "object"},
           {"required", {"error"}},
           {"properties",
            {{"id", {{"type", "integer"}, {"minimum", 0}}}, {"error", {{"type", "string"}}}}},
           {"additionalProperties", false}}}});
    const json out = {
        {"asyncapi", "2.6.0"},
        {"info",
         {{"title", "Fleetarium's feed"},
          {"version", "1"},
          {"description",
           "A viewer asks, with an id of its own; answers have the same id. With `every` a "
           "question is answered again and again, when its answer has changed. The subprotocol "
           "fleetarium.feed.v1 has JSON texts, fleetarium.feed.v1.cbor the same as CBOR."}}},
        {"defaultContentType", "application/json"},
        {"channels",
         {{"/feed",
           {{"publish", {{"message", {{"oneOf", questions}}}}},
            {"subscribe", {{"message", {{"oneOf", answers}}}}}}}}}};
    return out.dump(1);
}

}  // namespace fleetarium::feed
