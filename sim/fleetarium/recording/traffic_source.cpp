#include <fleetarium/recording/traffic_source.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace fleetarium::recording {

namespace {

/// Topics beyond are looked up each time; a recording numbers its topics from 1.
constexpr std::int64_t topics_max = std::int64_t{1} << 26;

std::uint8_t nibble(char digit) {
    return static_cast<std::uint8_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

}  // namespace

/// The properties of the last message that had some; the next one often has the same.
struct traffic_source::read_properties {
    std::string json{};
    std::optional<std::uint8_t> payload_format_indicator{};
    std::optional<std::uint32_t> message_expiry_interval{};
    std::optional<std::string> content_type{};
    std::optional<std::string> response_topic{};
    std::optional<std::vector<std::uint8_t>> correlation_data{};
    std::vector<std::pair<std::string, std::string>> user_properties{};
    std::vector<user_property> user_property_views{};

    void read(const nlohmann::json& from, const topic_rewriting& topics) {
        if (from.contains("payload_format_indicator")) {
            payload_format_indicator = from["payload_format_indicator"].get<std::uint8_t>();
        }
        if (from.contains("message_expiry_interval")) {
            message_expiry_interval = from["message_expiry_interval"].get<std::uint32_t>();
        }
        if (from.contains("content_type")) {
            content_type = from["content_type"].get<std::string>();
        }
        if (from.contains("response_topic")) {
            response_topic = topics.apply(from["response_topic"].get<std::string>());
        }
        if (from.contains("correlation_data")) {
            const auto hex = from["correlation_data"].get<std::string>();
            auto& data = correlation_data.emplace();
            for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
                data.push_back(static_cast<std::uint8_t>(nibble(hex[i]) << 4 | nibble(hex[i + 1])));
            }
        }
        if (from.contains("user_properties")) {
            user_properties =
                from["user_properties"].get<std::vector<std::pair<std::string, std::string>>>();
        }
    }
};

traffic_source::traffic_source(database& in, const traffic_selection& selection)
    : in_(in),
      selection_(selection),
      rows_(in,
            "SELECT id, at, publisher, topic, qos, retain, copy, payload, properties "
            "FROM messages WHERE id BETWEEN ?1 AND ?2 ORDER BY id"),
      topic_name_(in, "SELECT name FROM topics WHERE id = ?1"),
      properties_(std::make_unique<read_properties>()) {
    // Whoever listened to a broker from outside does not learn who publishes; else a message of
    // nobody is the broker's own.
    const std::string kind = in.text("SELECT kind FROM runs");
    brokers_tell_publishers_ = kind != "subscriber";
    first_ = selection.from ? first_message_from(in, selection.from->count())
                            : in.integer("SELECT min(id) FROM messages").value_or(1);
    last_ = selection.until ? first_message_from(in, selection.until->count()) - 1
                            : in.integer("SELECT max(id) FROM messages").value_or(0);
    next_ = first_;
}

traffic_source::~traffic_source() = default;

const traffic_message* traffic_source::next() {
    if (!open_) {
        rows_.bind(1, next_).bind(2, last_);
        open_ = true;
    }
    while (rows_.step()) {
        message_.id = rows_.integer(0);
        next_ = message_.id + 1;
        const topic& on = topic_of(rows_.integer(3));
        if (!on.selected) {
            continue;
        }
        const bool of_nobody = rows_.is_null(2);
        if (on.by_broker || (of_nobody && brokers_tell_publishers_)) {
            ++left_out_.by_broker;
            continue;
        }
        if (rows_.integer(6) != 0) {
            ++left_out_.copies;
            continue;
        }
        if (rows_.is_null(7)) {
            ++left_out_.refused;
            continue;
        }
        if (!on.valid) {
            ++left_out_.unpublishable;
            continue;
        }
        const std::int64_t level = rows_.integer(4);
        if (level < 0 || level > 2) {
            throw recording_error(in_.path() + ": message " + std::to_string(message_.id) +
                                  " has QoS " + std::to_string(level) + ", expected 0, 1 or 2");
        }
        message_.at = duration(rows_.integer(1));
        message_.publisher = of_nobody ? std::nullopt : std::optional(rows_.integer(2));
        message_.content = {};
        message_.content.topic = on.name;
        message_.content.qos = static_cast<enum qos>(level);
        message_.content.retain = rows_.integer(5) != 0;
        message_.content.payload = rows_.blob(7);
        if (!rows_.is_null(8)) {
            read_properties_of(rows_.text(8), message_.content);
        }
        return &message_;
    }
    open_ = false;
    next_ = last_ + 1;
    return nullptr;
}

void traffic_source::rewind() {
    rows_.reset();
    open_ = false;
    next_ = first_;
}

void traffic_source::pause() {
    if (open_) {
        kept_payload_.assign(message_.content.payload.begin(), message_.content.payload.end());
        message_.content.payload = kept_payload_;
        rows_.reset();
        open_ = false;
    }
}

std::vector<traffic_source::client> traffic_source::publishers() {
    std::map<std::int64_t, bool> selected;
    statement rows(in_,
                   "SELECT DISTINCT publisher, topic FROM messages WHERE id BETWEEN ?1 AND ?2 "
                   "AND publisher IS NOT NULL AND NOT copy AND payload IS NOT NULL");
    rows.bind(1, first_).bind(2, last_);
    while (rows.step()) {
        const topic& on = topic_of(rows.integer(1));
        if (on.selected && on.valid && !on.by_broker) {
            selected[rows.integer(0)] = true;
        }
    }
    std::vector<client> out;
    statement name(in_, "SELECT client_id FROM clients WHERE id = ?1");
    for (const auto& [row, taken] : selected) {
        name.bind(1, row);
        out.push_back({row, name.step() ? std::string(name.text(0)) : std::string()});
        name.reset();
    }
    return out;
}

duration traffic_source::end() {
    if (selection_.until) {
        return *selection_.until;
    }
    const std::int64_t last =
        in_.integer("SELECT at FROM messages WHERE id = " + std::to_string(last_)).value_or(0);
    return duration(std::max(last, in_.integer("SELECT ended_at FROM runs").value_or(last)));
}

const traffic_source::topic& traffic_source::topic_of(std::int64_t row) {
    if (row < 0 || row >= topics_max) {
        throw recording_error(in_.path() + ": has a message with the topic " + std::to_string(row) +
                              ", which no recording numbers so");
    }
    const auto place = static_cast<std::size_t>(row);
    if (place >= topics_.size()) {
        topics_.resize(place + 1 + place / 2);
    }
    topic& out = topics_[place];
    if (!out.known) {
        topic_name_.bind(1, row);
        if (!topic_name_.step()) {
            throw recording_error(in_.path() + ": has a message with the topic " +
                                  std::to_string(row) + ", but no such topic");
        }
        const std::string name(topic_name_.text(0));
        topic_name_.reset();
        out.known = true;
        out.by_broker = name.starts_with("$SYS/");
        out.selected =
            selection_.filters.empty() ||
            std::any_of(selection_.filters.begin(), selection_.filters.end(),
                        [&](const std::string& each) { return topic_matches(each, name); });
        out.name = selection_.topics.apply(name);
        out.valid = is_valid_topic_name(out.name);
    }
    return out;
}

void traffic_source::read_properties_of(std::string_view json, fleetarium::publish& to) {
    if (properties_->json != json) {
        read_properties made;
        try {
            made.read(nlohmann::json::parse(json), selection_.topics);
        } catch (const nlohmann::json::exception& error) {
            throw recording_error(in_.path() + ": message " + std::to_string(message_.id) +
                                  " has properties that cannot be read: " + error.what());
        }
        made.json = json;
        *properties_ = std::move(made);
        properties_->user_property_views.assign(properties_->user_properties.begin(),
                                                properties_->user_properties.end());
    }
    const read_properties& from = *properties_;
    to.payload_format_indicator = from.payload_format_indicator;
    to.message_expiry_interval = from.message_expiry_interval;
    to.content_type = from.content_type;
    to.response_topic = from.response_topic;
    if (from.correlation_data) {
        to.correlation_data = bytes_view(*from.correlation_data);
    }
    to.user_properties = user_properties(std::span<const user_property>(from.user_property_views));
}

}  // namespace fleetarium::recording
