#include <fleetarium/dashboard/payload_model.hpp>
#include <fleetarium/feed/payload_text.hpp>
#include <fleetarium/sim/sparkplug.hpp>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

std::string flat(const std::optional<payload_tree>& tree) {
    std::string out;
    if (!tree) {
        return "none";
    }
    for (const payload_node& node : tree->nodes) {
        out += std::string(node.depth, ' ') + node.name + "=" + node.value + ";";
    }
    return out;
}

std::string from_hex(std::string_view digits) {
    std::string out;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        out += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
    }
    return out;
}

feed::payload_view view_of(std::string_view bytes) {
    return feed::make_payload_view(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, 1'000'000);
}

}  // namespace

TEST_CASE("JSON keeps the order of its members and its numbers as written", "[payload_model]") {
    CHECK(flat(json_tree(R"({"b":21.40,"a":[1,{"x":null}],"e":{}})")) ==
          "=3 members; b=21.40; a=2 elements;  [0]=1;  [1]=1 member;   x=null; e=0 members;");
    CHECK(flat(json_tree("{\"a\":")) == "none");
    const auto deep = json_tree(std::string(50'000, '[') + std::string(50'000, ']'));
    REQUIRE(deep);
    CHECK(deep->cut);
    CHECK(deep->nodes.size() <= payload_depth_max + 1);
}

TEST_CASE("CBOR has keys of any kind, tags and pieces", "[payload_model]") {
    // SenML's {1: "volt", -2: 21.5}, as RFC 8428 has it
    CHECK(flat(cbor_tree(from_hex("a20164766f6c7421f94d60"))) ==
          "=2 members; 1=\"volt\"; -2=21.5;");
    CHECK(flat(cbor_tree(from_hex("c11a514b67b0"))) == "=1363896240;");
    CHECK(flat(cbor_tree(from_hex("9f01ff"))) == "=1 element; [0]=1;");
    CHECK(flat(cbor_tree(from_hex("7f6161ff"))) == "=\"a\";");
    CHECK(flat(cbor_tree(from_hex("a201"))) == "none");
    CHECK(flat(cbor_tree(from_hex("0100"))) == "none");
    CHECK(flat(cbor_tree(std::string(100'000, '\x81'))) == "none");
}

TEST_CASE("what the simulation writes as Sparkplug B is read back", "[payload_model]") {
    std::string bytes;
    sim::detail::sparkplug_writer writer;
    writer.begin(bytes, instant{});
    writer.add({.name = "Speed", .type = sim::sparkplug_type::int32, .alias = 7},
               sim::detail::sparkplug_writer::form::birth, "-42", false);
    writer.add({.name = "On", .type = sim::sparkplug_type::boolean},
               sim::detail::sparkplug_writer::form::birth, "true", false);
    writer.end(3);
    const auto tree = sparkplug_tree(bytes);
    REQUIRE(tree);
    const auto value = [&](std::string_view name) {
        const auto found =
            std::find_if(tree->nodes.begin(), tree->nodes.end(),
                         [&](const payload_node& each) { return each.name == name; });
        return found == tree->nodes.end() ? std::string("none") : found->value + " " + found->kind;
    };
    CHECK(value("timestamp") == "2000-01-01 00:00:00.000 time");
    CHECK(value("seq") == "3 number");
    CHECK(value("metrics") == "2 metrics list");
    CHECK(value("Speed") == "-42 Int32");
    CHECK(value("alias") == "7 number");
    CHECK(value("On") == "true Boolean");
    CHECK(likely_format(view_of(bytes), "spBv1.0/a/NBIRTH/b") == payload_format::sparkplug);
    CHECK_FALSE(sparkplug_tree(bytes.substr(0, bytes.size() - 1)));
}

TEST_CASE("the likely format is what a person would choose", "[payload_model]") {
    CHECK(likely_format(view_of("on"), "a") == payload_format::text);
    CHECK(likely_format(view_of("21.5"), "a") == payload_format::text);
    CHECK(likely_format(view_of(" {\"a\":1}"), "a") == payload_format::json);
    CHECK(likely_format(view_of("{broken"), "a") == payload_format::text);
    CHECK(likely_format(view_of(from_hex("a1616101ff").substr(0, 4)), "a") != payload_format::json);
    CHECK(likely_format(view_of(from_hex("a1616120")), "a") == payload_format::cbor);
    CHECK(likely_format(view_of(from_hex("ff00fe")), "a") == payload_format::hex);
}

TEST_CASE("bytes are told sixteen a line", "[payload_model]") {
    const auto lines = hex_lines("Hello, MQTT world!", 100);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] ==
          "00000000  48 65 6c 6c 6f 2c 20 4d  51 54 54 20 77 6f 72 6c  Hello, MQTT worl");
    CHECK(hex_lines(std::string(1'000, 'x'), 3).size() == 3);
}

TEST_CASE("a difference is by members, or by lines", "[payload_model]") {
    const auto told = [](const std::vector<payload_change>& changes) {
        std::string out;
        for (const payload_change& each : changes) {
            out += "=~+-"[static_cast<std::size_t>(each.what)];
            out += each.name + "(" + each.before + "," + each.now + ")";
        }
        return out;
    };
    CHECK(told(difference(payload_format::json, R"({"a":1,"b":{"c":2},"d":3})",
                          R"({"a":1,"b":{"c":5},"e":[4]})")) == "=a(1,1)~b.c(2,5)+e[0](,4)-d(3,)");
    CHECK(told(difference(payload_format::text, "one\ntwo\nthree", "one\n2\nthree")) ==
          "=(one,one)-(two,)+(,2)=(three,three)");
    CHECK(told(difference(payload_format::text, "same", "same")) == "=(same,same)");
}
