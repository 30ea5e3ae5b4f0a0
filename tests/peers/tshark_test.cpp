#include <support/packet_text.hpp>
#include <support/pcap_writer.hpp>
#include <support/random_packet.hpp>
#include <support/tsv.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

// tshark, which knows MQTT from another hand, judges what we encode.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

struct process_result {
    int status = -1;
    std::string output;
};

process_result run(const std::string& command) {
    process_result result;
    std::FILE* const pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    char part[4096];
    while (const std::size_t size = std::fread(part, 1, sizeof part, pipe)) {
        result.output.append(part, size);
    }
    result.status = pclose(pipe);
    return result;
}

bool tshark_is_missing() {
    if (run("tshark --version 2>/dev/null").status == 0) {
        return false;
    }
    WARN("this test was skipped: tshark is not installed");
    return true;
}

/// A capture in the folder for temporary files, gone with the object.
class capture {
public:
    capture()
        : path_(std::filesystem::temp_directory_path() /
                ("fleetarium_" + std::to_string(getpid()) + ".pcap")),
          writer_(path_) {}
    capture(const capture&) = delete;
    capture& operator=(const capture&) = delete;
    ~capture() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    pcap_writer& writer() { return writer_; }

    /// One row for each MQTT packet, with the given fields of tshark; the values of a field that
    /// occurs several times are joined by a comma.
    std::vector<std::vector<std::string>> rows(const std::vector<std::string>& fields) const {
        std::string command = "tshark -r '" + path_.string() +
                              "' -d tcp.port==1883,mqtt -Y mqtt -T fields -E occurrence=a "
                              "-E aggregator=, -E separator=/t";
        for (const std::string& field : fields) {
            command += " -e " + field;
        }
        const process_result result = run(command + " 2>/dev/null");
        REQUIRE(result.status == 0);
        std::vector<std::vector<std::string>> made;
        std::string line;
        for (const char each : result.output) {
            if (each == '\n') {
                made.push_back(split_fields(line));
                REQUIRE(made.back().size() == fields.size());
                line.clear();
            } else {
                line += each;
            }
        }
        return made;
    }

private:
    std::filesystem::path path_;
    pcap_writer writer_;
};

pcap_writer::direction direction_of(packet_type type) {
    switch (type) {
        case packet_type::connack:
        case packet_type::suback:
        case packet_type::unsuback:
        case packet_type::pingresp: return pcap_writer::direction::to_client;
        default: return pcap_writer::direction::to_server;
    }
}

packet_type type_of(const packet& in) {
    return static_cast<packet_type>(in.index() + 1);
}

/// A packet, and what tshark has to say of it: fields in the order of `judged_fields`.
struct judged {
    packet in;
    std::vector<std::string> fields;
};

const std::vector<std::string> judged_fields{
    "mqtt.msgtype",    "mqtt.msgid",       "mqtt.qos",          "mqtt.dupflag",
    "mqtt.retain",     "mqtt.topic",       "mqtt.msg",          "mqtt.property_id",
    "mqtt.prop_number", "mqtt.prop_string", "mqtt.prop_key",     "mqtt.prop_value",
};

void check(const std::vector<judged>& packets, protocol_version version) {
    capture file;
    file.writer().open();
    for (const judged& each : packets) {
        wire_buffer out;
        REQUIRE(encode(each.in, version, out));
        file.writer().send(direction_of(type_of(each.in)), to_bytes(out));
    }
    std::vector<std::string> fields = judged_fields;
    fields.emplace_back("_ws.malformed");
    fields.emplace_back("_ws.expert.message");
    const auto rows = file.rows(fields);
    REQUIRE(rows.size() == packets.size());
    for (std::size_t index = 0; index < rows.size(); ++index) {
        INFO(packet_text::of(packets[index].in));
        std::vector<std::string> expected = packets[index].fields;
        expected.resize(fields.size());
        CHECK(rows[index] == expected);
    }
}

TEST_CASE("tshark reads every packet of 5.0 as we meant it", "[tshark]") {
    if (tshark_is_missing()) {
        return;
    }
    const byte_vector payload = from_hex("BEEF");
    // tshark prints binary properties as text.
    const byte_vector data = from_hex("69 64");
    const std::vector<user_property> pairs{{"k", "v"}, {"l", "w"}};
    const user_properties both(pairs);
    const std::vector<std::uint32_t> identifiers{7, 200};
    const std::vector<subscription_request> requests{
        {"a/#", {qos::at_least_once, true, true, retain_handling::do_not_send}},
        {"$share/g/b", {qos::exactly_once}}};
    const std::vector<std::string_view> filters{"a/#", "b"};
    const std::vector<reason_code> granted{reason_code::granted_qos_1, reason_code::not_authorized};
    const std::vector<reason_code> removed{reason_code::success,
                                           reason_code::no_subscription_existed};
    connect first{.client_id = "c", .session_expiry_interval = 60};
    first.will.emplace();
    first.will->topic = "w";
    first.will->payload = payload;
    first.will->content_type = "t";
    first.user_properties = both;
    check(
        {
            {first, {"1", "", "", "", "", "", "", "0x11,0x26,0x26,0x03", "60", "", "k,l", "v,w"}},
            {connack{.session_present = true, .maximum_packet_size = 1000, .reason_string = "r"},
             {"2", "", "", "", "", "", "", "0x27,0x1f", "1000", "r"}},
            {publish{.topic = "a/b", .payload = payload, .retain = true},
             {"3", "", "0", "0", "1", "a/b", "beef"}},
            {publish{.topic = "a/b",
                     .payload = payload,
                     .packet_id = 0x1234,
                     .qos = qos::at_least_once,
                     .dup = true,
                     .message_expiry_interval = 9,
                     .response_topic = "r/t",
                     .correlation_data = data,
                     .subscription_identifiers = subscription_identifiers(identifiers),
                     .user_properties = both},
             {"3", "4660", "1", "1", "0", "a/b", "beef",
              "0x02,0x08,0x09,0x0b,0x0b,0x26,0x26", "9,7,200", "r/t,id", "k,l", "v,w"}},
            {puback{.packet_id = 0x1234},
             {"4", "4660"}},
            {pubrec{.packet_id = 2, .code = reason_code::quota_exceeded, .reason_string = "full"},
             {"5", "2", "", "", "", "", "", "0x1f", "", "full"}},
            {pubrel{.packet_id = 3}, {"6", "3"}},
            {pubcomp{.packet_id = 3, .code = reason_code::packet_identifier_not_found},
             {"7", "3"}},
            {subscribe{.packet_id = 4,
                       .subscription_identifier = 300,
                       .requests = subscription_requests(requests)},
             {"8", "4", "", "", "", "a/#,$share/g/b", "", "0x0b", "300"}},
            {suback{.packet_id = 4, .user_properties = both, .codes = granted},
             {"9", "4", "", "", "", "", "", "0x26,0x26", "", "", "k,l", "v,w"}},
            {unsubscribe{.packet_id = 5, .filters = topic_filters(filters)},
             {"10", "5", "", "", "", "a/#,b"}},
            {unsuback{.packet_id = 5, .codes = removed}, {"11", "5"}},
            {pingreq{}, {"12"}},
            {pingresp{}, {"13"}},
            {auth{.code = reason_code::re_authenticate,
                  .authentication_method = "M",
                  .authentication_data = data},
             {"15", "", "", "", "", "", "", "0x15,0x16", "", "M,id"}},
            {disconnect{.code = reason_code::use_another_server, .server_reference = "h:1"},
             {"14", "", "", "", "", "", "", "0x1c", "", "h:1"}},
        },
        v5);
}

TEST_CASE("tshark reads every packet of 3.1.1 as we meant it", "[tshark]") {
    if (tshark_is_missing()) {
        return;
    }
    const byte_vector payload = from_hex("BEEF");
    const std::vector<subscription_request> requests{{"a/#", {qos::at_least_once}},
                                                     {"b", {qos::exactly_once}}};
    const std::vector<std::string_view> filters{"a/#", "b"};
    const std::vector<reason_code> granted{reason_code::granted_qos_1, reason_code::not_authorized};
    check(
        {
            {connect{.version = v3, .client_id = "c", .user_name = "u", .password = payload},
             {"1"}},
            {connack{}, {"2"}},
            {publish{.topic = "a/b", .payload = payload}, {"3", "", "0", "0", "0", "a/b", "beef"}},
            {publish{.topic = "c",
                     .payload = payload,
                     .packet_id = 258,
                     .qos = qos::exactly_once,
                     .retain = true},
             {"3", "258", "2", "0", "1", "c", "beef"}},
            {puback{.packet_id = 1}, {"4", "1"}},
            {pubrec{.packet_id = 2}, {"5", "2"}},
            {pubrel{.packet_id = 3}, {"6", "3"}},
            {pubcomp{.packet_id = 4}, {"7", "4"}},
            {subscribe{.packet_id = 5, .requests = subscription_requests(requests)},
             {"8", "5", "", "", "", "a/#,b"}},
            {suback{.packet_id = 5, .codes = granted}, {"9", "5"}},
            {unsubscribe{.packet_id = 6, .filters = topic_filters(filters)},
             {"10", "6", "", "", "", "a/#,b"}},
            {unsuback{.packet_id = 6}, {"11", "6"}},
            {pingreq{}, {"12"}},
            {pingresp{}, {"13"}},
            {disconnect{}, {"14"}},
        },
        v3);
}

TEST_CASE("tshark finds the type and the length of random packets and none malformed",
          "[tshark]") {
    if (tshark_is_missing()) {
        return;
    }
    const auto version = GENERATE(v3, v5);
    capture file;
    random_packets packets(2024, version);
    std::vector<packet> sent;
    for (int count = 0; count < 600; ++count) {
        // tshark takes the version from the CONNECT of a connection.
        const bool opens = count % 60 == 0;
        if (opens) {
            file.writer().open();
        }
        packet next = opens ? packets.next(packet_type::connect) : packets.next();
        if (!opens && std::holds_alternative<connect>(next)) {
            continue;
        }
        sent.push_back(next);
        wire_buffer out;
        REQUIRE(encode(next, version, out));
        file.writer().send(direction_of(type_of(next)), to_bytes(out));
    }
    const auto rows = file.rows({"mqtt.msgtype", "mqtt.len", "_ws.malformed"});
    REQUIRE(rows.size() == sent.size());
    for (std::size_t index = 0; index < rows.size(); ++index) {
        wire_buffer out;
        REQUIRE(encode(sent[index], version, out));
        const byte_vector wire = to_bytes(out);
        INFO(packet_text::of(sent[index]));
        CHECK(rows[index] ==
              std::vector<std::string>{std::to_string(sent[index].index() + 1),
                                       std::to_string(frame_of(wire).body.size()), ""});
    }
}

TEST_CASE("tshark does tell a malformed packet, so its silence means something", "[tshark]") {
    if (tshark_is_missing()) {
        return;
    }
    capture file;
    file.writer().open();
    file.writer().send(pcap_writer::direction::to_server,
                       from_hex("10 0E 00 04 4D 51 54 54 05 02 00 3C 00 00 01 61"));
    // A SUBSCRIBE whose filter runs past the packet.
    file.writer().send(pcap_writer::direction::to_server,
                       from_hex("82 06 00 0A 00 00 09 61"));
    const auto rows = file.rows({"mqtt.msgtype", "_ws.malformed"});
    REQUIRE(rows.size() == 2);
    CHECK(rows[0][1].empty());
    CHECK_FALSE(rows[1][1].empty());
}

}  // namespace
}  // namespace fleetarium::test
