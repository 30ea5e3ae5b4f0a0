#include <fleetarium/recording/export_selection.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/config/problem.hpp>

#include <algorithm>
#include <charconv>

namespace fleetarium::recording {

namespace {

/// How large a table of rows by number has to be. Rows are numbered without gaps by whoever writes
/// them; a number far beyond their count would ask for any amount of memory.
std::size_t table_size(database& in, const std::string& table) {
    const std::int64_t last = in.integer("SELECT max(id) FROM " + table).value_or(-1);
    const std::int64_t count = in.integer("SELECT count(*) FROM " + table).value_or(0);
    const std::int64_t first = in.integer("SELECT min(id) FROM " + table).value_or(0);
    if (first < 0 || last > 16 * count + 1024) {
        throw recording_error(in.path() + ": is damaged: the " + std::to_string(count) +
                              " rows of " + table + " have numbers from " + std::to_string(first) +
                              " to " + std::to_string(last));
    }
    return static_cast<std::size_t>(last + 1);
}

}  // namespace

recorded_names::recorded_names(database& in, const export_selection& selection)
    : path_(in.path()), wants_all_clients_(selection.clients.empty()) {
    read_topics(in, selection);
    read_clients(in, selection);
    brokers_.resize(table_size(in, "brokers"));
    statement brokers(in, "SELECT id, name FROM brokers");
    while (brokers.step()) {
        brokers_[static_cast<std::size_t>(brokers.integer(0))] = brokers.text(1);
    }
}

void recorded_names::read_topics(database& in, const export_selection& selection) {
    if (!selection.filter.empty() && !is_valid_topic_filter(selection.filter)) {
        throw recording_error("found the topic filter \"" + selection.filter +
                              "\", expected one such as plant/+/celsius or plant/#");
    }
    topics_.resize(table_size(in, "topics"));
    statement topics(in, "SELECT id, name FROM topics");
    while (topics.step()) {
        named_topic& made = topics_[static_cast<std::size_t>(topics.integer(0))];
        made.name = topics.text(1);
        made.wanted = selection.filter.empty() || topic_matches(selection.filter, made.name);
    }
}

void recorded_names::read_clients(database& in, const export_selection& selection) {
    clients_.resize(std::max<std::size_t>(table_size(in, "clients"), 1));
    clients_[0].wanted = wants_all_clients_;
    std::vector<bool> found(selection.clients.size());
    statement clients(in, "SELECT id, name, client_id FROM clients");
    while (clients.step()) {
        named_client& made = clients_[static_cast<std::size_t>(clients.integer(0))];
        made.name = clients.text(1);
        made.client_id = clients.text(2);
        made.wanted = wants_all_clients_;
        for (std::size_t i = 0; i < selection.clients.size(); ++i) {
            if (selection.clients[i] == made.name || selection.clients[i] == made.client_id) {
                made.wanted = true;
                found[i] = true;
            }
        }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (!found[i]) {
            std::vector<std::string_view> known;
            for (const named_client& each : clients_) {
                known.emplace_back(each.name);
                known.emplace_back(each.client_id);
            }
            const std::string nearest = config::nearest_name(selection.clients[i], known);
            throw recording_error(path_ + ": has no client \"" + selection.clients[i] + "\"" +
                                  (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
        }
    }
}

std::size_t recorded_names::checked_topic(std::int64_t row) const {
    if (row < 0 || static_cast<std::size_t>(row) >= topics_.size()) {
        throw recording_error(path_ + ": is damaged: it has no topic " + std::to_string(row));
    }
    return static_cast<std::size_t>(row);
}

const std::string& recorded_names::topic(std::int64_t row) const {
    return topics_[checked_topic(row)].name;
}

const recorded_names::named_client& recorded_names::client(std::int64_t row) const {
    if (row < 0 || static_cast<std::size_t>(row) >= clients_.size()) {
        throw recording_error(path_ + ": is damaged: it has no client " + std::to_string(row));
    }
    return clients_[static_cast<std::size_t>(row)];
}

const std::string& recorded_names::broker(std::int64_t row) const {
    if (row < 0 || static_cast<std::size_t>(row) >= brokers_.size()) {
        throw recording_error(path_ + ": is damaged: it has no broker " + std::to_string(row));
    }
    return brokers_[static_cast<std::size_t>(row)];
}

void append_seconds(std::string& to, std::int64_t nanoseconds) {
    constexpr std::uint64_t a_second = 1'000'000'000;
    std::uint64_t whole = static_cast<std::uint64_t>(nanoseconds);
    if (nanoseconds < 0) {
        to += '-';
        whole = 0 - whole;
    }
    char text[24];
    const auto end = std::to_chars(text, text + sizeof text, whole / a_second).ptr;
    to.append(text, end);
    std::uint64_t part = whole % a_second;
    if (part == 0) {
        return;
    }
    char digits[10] = {'.'};
    for (int i = 9; i > 0; --i) {
        digits[i] = static_cast<char>('0' + part % 10);
        part /= 10;
    }
    int size = 10;
    while (digits[size - 1] == '0') {
        --size;
    }
    to.append(digits, static_cast<std::size_t>(size));
}

}  // namespace fleetarium::recording
