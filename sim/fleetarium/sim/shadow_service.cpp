#include <fleetarium/sim/shadow_service.hpp>

#include <fleetarium/sim/sparkplug.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

// Members come in the order of their names: nothing depends on that of a request.
using json = nlohmann::json;

// Limits of the service.
constexpr std::size_t document_bytes_max = 8'192;
constexpr int state_levels_max = 6;
constexpr std::size_t client_token_bytes_max = 64;

struct document {
    json desired = json::object();
    json reported = json::object();
    json desired_metadata = json::object();
    json reported_metadata = json::object();
    std::uint64_t version = 0;
    bool exists = false;  // a deleted one goes on to count its versions
};

struct refusal {
    int code;
    std::string message;
};

int levels_of(const json& value) {
    int deepest = 0;
    if (value.is_structured()) {
        for (const json& each : value) {
            deepest = std::max(deepest, levels_of(each));
        }
        return deepest + 1;
    }
    return 0;
}

/// Members of `change` go into `state`, null removes, objects are gone into; `metadata` gets the
/// time stamp of each that is set.
void merge(json& state, json& metadata, const json& change, std::uint64_t seconds) {
    for (const auto& [name, value] : change.items()) {
        if (value.is_null()) {
            state.erase(name);
            metadata.erase(name);
        } else if (value.is_object()) {
            json& inner = state[name];
            json& inner_metadata = metadata[name];
            if (!inner.is_object()) {
                inner = json::object();
                inner_metadata = json::object();
            }
            merge(inner, inner_metadata, value, seconds);
            if (inner.empty()) {
                state.erase(name);
                metadata.erase(name);
            }
        } else {
            state[name] = value;
            metadata[name] = {{"timestamp", seconds}};
        }
    }
}

/// What of `desired` is otherwise, or not at all, in `reported`; with the time stamps of these.
json difference(const json& desired, const json& reported, const json& metadata, json& stamps) {
    json out = json::object();
    for (const auto& [name, value] : desired.items()) {
        const auto has = reported.find(name);
        if (has != reported.end() && *has == value) {
            continue;
        }
        if (value.is_object() && has != reported.end() && has->is_object()) {
            json inner_stamps = json::object();
            json inner = difference(value, *has, metadata[name], inner_stamps);
            if (!inner.empty()) {
                out[name] = std::move(inner);
                stamps[name] = std::move(inner_stamps);
            }
        } else {
            out[name] = value;
            stamps[name] = metadata[name];
        }
    }
    return out;
}

/// Both sides, but not those that are empty.
json sides(const json& desired, const json& reported) {
    json out = json::object();
    if (!desired.empty()) {
        out["desired"] = desired;
    }
    if (!reported.empty()) {
        out["reported"] = reported;
    }
    return out;
}

json snapshot(const document& of) {
    return {{"state", sides(of.desired, of.reported)},
            {"metadata", sides(of.desired_metadata, of.reported_metadata)},
            {"version", of.version}};
}

/// The members of a change with the time stamps that they now have.
json stamps_of(const json& change, const json& metadata) {
    json out = json::object();
    for (const auto& [name, value] : change.items()) {
        const auto has = metadata.find(name);
        if (has != metadata.end()) {
            out[name] = value.is_object() ? stamps_of(value, *has) : *has;
        }
    }
    return out;
}

std::optional<refusal> find_fault(const json& request) {
    if (request.is_discarded() || !request.is_object()) {
        return refusal{400, "Invalid JSON"};
    }
    const auto state = request.find("state");
    if (state == request.end()) {
        return refusal{400, "Missing required node: state"};
    }
    if (!state->is_object()) {
        return refusal{400, "State node must be an object"};
    }
    for (const auto& [name, value] : state->items()) {
        if (name != "desired" && name != "reported") {
            return refusal{400, "State contains an invalid node"};
        }
        if (!value.is_object() && !value.is_null()) {
            return refusal{400, (name == "desired" ? "Desired" : "Reported") +
                                    std::string(" node must be an object")};
        }
        if (levels_of(value) > state_levels_max) {
            return refusal{400, "JSON contains too many levels of nesting; maximum is 6"};
        }
    }
    const auto version = request.find("version");
    if (version != request.end() && !version->is_number_unsigned()) {
        return refusal{400, "Invalid version"};
    }
    return std::nullopt;
}

/// A topic below the prefix: whose shadow, and what is asked.
struct address {
    std::string shadow;     ///< THING, or THING/name/NAME
    std::string_view name;  ///< of the shadow, as errors call it
    std::string_view verb;
};

std::optional<address> read_address(std::string_view topic, std::string_view prefix) {
    if (!topic.starts_with(prefix) || topic.size() <= prefix.size() ||
        topic[prefix.size()] != '/') {
        return std::nullopt;
    }
    topic.remove_prefix(prefix.size() + 1);
    const auto end = topic.find('/');
    const std::string_view thing = topic.substr(0, end);
    constexpr std::string_view shadow = "/shadow/";
    if (thing.empty() || end == topic.npos || !topic.substr(end).starts_with(shadow)) {
        return std::nullopt;
    }
    std::string_view rest = topic.substr(end + shadow.size());
    address out{std::string(thing), thing, {}};
    if (rest.starts_with("name/")) {
        rest.remove_prefix(5);
        const auto slash = rest.find('/');
        if (slash == rest.npos || slash == 0) {
            return std::nullopt;
        }
        out.name = rest.substr(0, slash);
        out.shadow += "/name/" + std::string(out.name);
        rest.remove_prefix(slash + 1);
    }
    out.verb = rest;
    return out;
}

}  // namespace

struct shadow_service::store {
    using answers = std::vector<answer>;

    void forget_token() { token = nullptr; }

    void say(answers& out, std::string topic, json payload) const {
        payload["timestamp"] = seconds;
        if (!token.is_null()) {
            payload["clientToken"] = token;
        }
        // What is not UTF-8 cannot have come in, for then it was no JSON.
        out.push_back({std::move(topic), payload.dump()});
    }

    void refuse(answers& out, const std::string& topic, const refusal& why) const {
        say(out, topic + "/rejected", {{"code", why.code}, {"message", why.message}});
    }

    void update(answers& out, const std::string& topic, const address& whose,
                std::string_view payload) {
        if (payload.size() > document_bytes_max) {
            refuse(out, topic, {413, "The payload exceeds the maximum size allowed"});
            return;
        }
        const json request = json::parse(payload, nullptr, false);
        take_token(request);
        if (const auto fault = find_fault(request)) {
            refuse(out, topic, *fault);
            return;
        }
        if (token.is_string() &&
            token.get_ref<const std::string&>().size() > client_token_bytes_max) {
            token = nullptr;
            refuse(out, topic, {400, "Invalid clientToken"});
            return;
        }
        const auto known = documents.find(whose.shadow);
        const document current = known == documents.end() ? document() : known->second;
        const auto version = request.find("version");
        if (version != request.end() && *version != current.version) {
            refuse(out, topic, {409, "Version conflict"});
            return;
        }
        document changed = current;
        const json& state = request["state"];
        apply(state, "desired", changed.desired, changed.desired_metadata);
        apply(state, "reported", changed.reported, changed.reported_metadata);
        if (sides(changed.desired, changed.reported).dump().size() > document_bytes_max) {
            refuse(out, topic, {413, "The payload exceeds the maximum size allowed"});
            return;
        }
        changed.version = current.version + 1;
        changed.exists = true;
        tell(out, topic, state, snapshot(current), changed);
        documents.insert_or_assign(whose.shadow, std::move(changed));
    }

    void apply(const json& state, const char* side, json& values, json& metadata) const {
        const auto change = state.find(side);
        if (change == state.end()) {
            return;
        }
        if (change->is_null()) {
            values = json::object();
            metadata = json::object();
        } else {
            merge(values, metadata, *change, seconds);
        }
    }

    void tell(answers& out, const std::string& topic, const json& state, const json& before,
              const document& now) const {
        json stamps = json::object();
        for (const auto& [side, change] : state.items()) {
            if (change.is_object()) {
                stamps[side] = stamps_of(
                    change, side == "desired" ? now.desired_metadata : now.reported_metadata);
            }
        }
        say(out, topic + "/accepted",
            {{"state", state}, {"metadata", stamps}, {"version", now.version}});
        json delta_stamps = json::object();
        const json delta =
            difference(now.desired, now.reported, now.desired_metadata, delta_stamps);
        if (!delta.empty()) {
            say(out, topic + "/delta",
                {{"state", delta}, {"metadata", delta_stamps}, {"version", now.version}});
        }
        say(out, topic + "/documents", {{"previous", before}, {"current", snapshot(now)}});
    }

    void get(answers& out, const std::string& topic, const address& whose,
             std::string_view payload) {
        take_token(json::parse(payload, nullptr, false));
        const auto found = documents.find(whose.shadow);
        if (found == documents.end() || !found->second.exists) {
            refuse(out, topic, not_found(whose));
            return;
        }
        const document& current = found->second;
        json answer = snapshot(current);
        json stamps = json::object();
        const json delta =
            difference(current.desired, current.reported, current.desired_metadata, stamps);
        if (!delta.empty()) {
            answer["state"]["delta"] = delta;
        }
        say(out, topic + "/accepted", std::move(answer));
    }

    void remove(answers& out, const std::string& topic, const address& whose,
                std::string_view payload) {
        take_token(json::parse(payload, nullptr, false));
        const auto found = documents.find(whose.shadow);
        if (found == documents.end() || !found->second.exists) {
            refuse(out, topic, not_found(whose));
            return;
        }
        const std::uint64_t version = found->second.version;
        found->second = document{};
        found->second.version = version;
        say(out, topic + "/accepted", {{"version", version}});
    }

    static refusal not_found(const address& whose) {
        return {404, "No shadow exists with name: '" + std::string(whose.name) + "'"};
    }

    void take_token(const json& request) {
        token = nullptr;
        if (request.is_object() && request.contains("clientToken") &&
            request["clientToken"].is_string()) {
            token = request["clientToken"];
        }
    }

    shadow_service_spec spec;
    std::map<std::string, document, std::less<>> documents;
    // Of the request in hand.
    std::uint64_t seconds = 0;
    json token;
};

shadow_service::shadow_service(shadow_service_spec spec) : store_(std::make_unique<store>()) {
    store_->spec = std::move(spec);
}

shadow_service::~shadow_service() = default;

std::vector<shadow_service::answer> shadow_service::handle(std::string_view topic,
                                                           bytes_view payload, instant now) {
    std::vector<answer> out;
    const auto whose = read_address(topic, store_->spec.prefix);
    if (!whose) {
        return out;
    }
    store_->seconds = unix_milliseconds(now) / 1'000;
    store_->forget_token();
    const std::string place(topic);
    if (whose->verb == "update") {
        store_->update(out, place, *whose, as_text(payload));
    } else if (whose->verb == "get") {
        store_->get(out, place, *whose, as_text(payload));
    } else if (whose->verb == "delete") {
        store_->remove(out, place, *whose, as_text(payload));
    }
    return out;
}

std::size_t shadow_service::stored_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, each] : store_->documents) {
        bytes += snapshot(each).dump().size();
    }
    return bytes;
}

}  // namespace fleetarium::sim::detail
