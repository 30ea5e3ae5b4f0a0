#pragma once

#include <fleetarium/config/value_types.hpp>
#include <fleetarium/core/distribution.hpp>

#include <string>

/// Kinds of values that only scenarios have; config/value_types.hpp has the others.
namespace fleetarium::sim::detail {

config::detail::value_type<std::string> payload_text();

/// A string inside a JSON payload, as template text. A lone placeholder that renders as a number
/// stands bare; so does one of a generator, which may give a name, too, and is told to put it in
/// quotes.
std::string payload_string(const std::string& content);

config::detail::value_type<protocol_version> version_name();
config::detail::value_type<distribution> duration_distribution();

/// A duration either way, such as "-1h30m".
config::detail::value_type<duration> signed_duration(duration most);

/// A bound of an expectation: a number, or a duration for what is measured in seconds.
config::detail::value_type<double> number_or_duration();

}  // namespace fleetarium::sim::detail
