#pragma once

#include <fleetarium/feed/source.hpp>

#include <any>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace fleetarium::feed {

/// How an answer is written: with bytes as such, for CBOR, or in base64, for JSON.
enum class answer_form : std::uint8_t { json, cbor };

/// A question or command by its name: how it is asked from outside. The one table from which the
/// WebSocket feed, the REST API and the documents that describe both come.
struct question_entry {
    std::string_view name;    ///< "topics"; of REST the path /api/topics
    std::string_view what;    ///< a sentence for documents
    bool is_command = false;  ///< changes the run: POST; the others are GET
    /// Asks. `parameters` is an object; throws feed_error for what is wrong with it: an unknown
    /// member and the nearest valid one, a wrong type, what was expected.
    nlohmann::json (*ask)(source& of, const nlohmann::json& parameters, answer_form form);
    /// The same with a question of its C++ type, for a source in this process.
    std::any (*ask_value)(source& of, const std::any& question);
    nlohmann::json (*question_json)(const std::any& question);
    std::any (*answer_value)(const nlohmann::json& answer);  ///< throws feed_error
    nlohmann::json (*parameters_schema)();                   ///< JSON Schema
    nlohmann::json (*answer_schema)();
};

/// All of them, in the order of documents.
std::span<const question_entry> question_table();

/// Null: there is none of that name.
const question_entry* find_question(std::string_view name);
/// The nearest name to one that is none, for messages.
std::string nearest_question(std::string_view name);

}  // namespace fleetarium::feed
