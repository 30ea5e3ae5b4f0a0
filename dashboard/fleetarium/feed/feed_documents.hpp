#pragma once

#include <string>

namespace fleetarium::feed {

/// The REST API as an OpenAPI 3.1 document: JSON, made from question_table.
std::string openapi_document();

/// The WebSocket feed as an AsyncAPI 2.6 document: JSON, made from question_table.
std::string asyncapi_document();

}  // namespace fleetarium::feed
