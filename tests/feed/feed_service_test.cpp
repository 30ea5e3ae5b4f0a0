#include <feed/feed_stage.hpp>
#include <support/http_text.hpp>

#include <fleetarium/feed/described_json.hpp>
#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/feed/question_table.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::feed;
using namespace std::chrono_literals;
using json = nlohmann::json;

namespace {

/// A viewer's WebSocket without I/O.
class scripted_peer final : public broker::websocket_peer {
public:
    explicit scripted_peer(std::string subprotocol = "fleetarium.feed.v1")
        : subprotocol_(std::move(subprotocol)) {}

    void handle(broker::websocket_handlers handlers) override { handlers_ = std::move(handlers); }
    bool send_text(std::string_view text) override {
        came.push_back(json::parse(text));
        return true;
    }
    bool send_binary(std::string_view bytes) override {
        came.push_back(json::from_cbor(bytes));
        return true;
    }
    std::size_t bytes_unsent() const override { return 0; }
    std::size_t bytes_unconfirmed() const override { return unconfirmed; }
    void close(std::uint16_t, std::string_view) override { open = false; }
    bool is_open() const override { return open; }
    const broker::http_request& request() const override { return request_; }
    const std::string& subprotocol() const override { return subprotocol_; }
    const std::string& address() const override { return address_; }

    void say(const std::string& text) { handlers_.message({broker::websocket_kind::text, text}); }
    void say_cbor(const json& message) {
        const auto bytes = json::to_cbor(message);
        handlers_.message({broker::websocket_kind::binary, {bytes.begin(), bytes.end()}});
    }
    void leave() {
        open = false;
        handlers_.closed(1000, "");
    }

    std::vector<json> came;
    std::size_t unconfirmed = 0;
    bool open = true;

private:
    broker::websocket_handlers handlers_;
    broker::http_request request_;
    const std::string subprotocol_;
    const std::string address_ = "127.0.0.1:5";
};

/// A source that counts how often it is asked.
struct stage {
    watched_world in{parse_text(sensors_text)};
    int asked = 0;
    feed_service service{[this](const std::function<void(source&)>& use) {
        ++asked;
        use(in.source);
    }};

    stage() { in.run_until(5s); }

    std::shared_ptr<scripted_peer> open(const std::string& subprotocol = "fleetarium.feed.v1") {
        auto made = std::make_shared<scripted_peer>(subprotocol);
        service.websockets().at(0).opened(made);
        return made;
    }
};

}  // namespace

TEST_CASE("a question with every is answered when its time has come and its answer has changed",
          "[feed][feed_service]") {
    stage of;
    const auto viewer = of.open();
    viewer->say(R"({"id": 7, "ask": "totals", "every": 1})");
    REQUIRE(viewer->came.size() == 1);
    CHECK(viewer->came[0]["id"] == 7);
    CHECK(viewer->came[0]["answer"]["at"] == 5);
    of.service.poll(0.5);
    CHECK(viewer->came.size() == 1);
    of.service.poll(1.0);  // due, but the same
    CHECK(viewer->came.size() == 1);
    of.in.run_until(6s);
    of.service.poll(1.5);  // not due
    CHECK(viewer->came.size() == 1);
    of.service.poll(2.0);
    REQUIRE(viewer->came.size() == 2);
    CHECK(viewer->came[1]["answer"]["at"] == 6);
    viewer->say(R"({"id": 7, "cancel": true})");
    of.in.run_until(7s);
    of.service.poll(5);
    CHECK(viewer->came.size() == 2);
}

TEST_CASE("a question under the same id replaces the one before", "[feed][feed_service]") {
    stage of;
    const auto viewer = of.open();
    viewer->say(R"({"id": 1, "ask": "totals", "every": 1})");
    viewer->say(R"({"id": 1, "ask": "topics", "with": {"parent": "s"}, "every": 1})");
    REQUIRE(viewer->came.size() == 2);
    CHECK(viewer->came[1]["answer"]["all"] == 10);
    of.in.run_until(6s);
    of.service.poll(2);
    REQUIRE(viewer->came.size() == 3);
    CHECK(viewer->came[2]["answer"].contains("rows"));
}

TEST_CASE("viewers who ask the same at the same time get one answer", "[feed][feed_service]") {
    stage of;
    std::vector<std::shared_ptr<scripted_peer>> viewers;
    for (int i = 0; i < 5; ++i) {
        viewers.push_back(of.open());
        viewers.back()->say(R"({"id": 1, "ask": "totals", "every": 1})");
    }
    of.asked = 0;
    of.in.run_until(6s);
    of.service.poll(1);
    CHECK(of.asked == 1);
    for (const auto& each : viewers) {
        CHECK(each->came.size() == 2);
    }
    CHECK(of.service.viewers() == 5);
    viewers[2]->leave();
    CHECK(of.service.viewers() == 4);
}

TEST_CASE("a viewer that does not keep up gets less, and each of its questions its turn",
          "[feed][feed_service]") {
    stage of;
    const auto viewer = of.open();
    for (int id = 1; id <= 3; ++id) {
        viewer->say(json{{"id", id}, {"ask", "totals"}, {"every", 0.05}}.dump());
    }
    CHECK(viewer->came.size() == 3);
    viewer->unconfirmed = std::size_t{3} << 20;
    of.asked = 0;
    for (int i = 1; i <= 20; ++i) {
        of.in.run_until(5s + i * 1s);
        of.service.poll(i);
    }
    CHECK(viewer->came.size() == 3);
    CHECK(of.asked == 0);
    viewer->unconfirmed = 0;
    of.service.poll(21);
    REQUIRE(viewer->came.size() == 6);  // the newest, once
    CHECK(viewer->came[3]["answer"]["at"] == 25);
    CHECK(viewer->came[3]["id"] != viewer->came[4]["id"]);
    CHECK(viewer->came[4]["id"] != viewer->came[5]["id"]);
}

TEST_CASE("sixty-four questions are open at most; once answered one is not open",
          "[feed][feed_service]") {
    stage of;
    const auto viewer = of.open();
    for (int id = 0; id < 64; ++id) {
        viewer->say(json{{"id", id}, {"ask", "totals"}, {"every", 60}}.dump());
        viewer->say(json{{"id", 1'000 + id}, {"ask", "log"}}.dump());
        of.service.poll(0.5 * (id + 1));  // on a slow machine questions wait for the next poll
    }
    viewer->say(R"({"id": 64, "ask": "totals"})");
    CHECK(viewer->came.back()["error"] == "64 questions are open: cancel some before asking more");
    viewer->say(R"({"id": 5, "ask": "log"})");  // in the place of another
    of.service.poll(50);
    CHECK(viewer->came.back().contains("answer"));
}

TEST_CASE("in CBOR questions and answers are the same, with bytes as such",
          "[feed][feed_service]") {
    stage of;
    const auto text = of.open();
    const auto binary = of.open("fleetarium.feed.v1.cbor");
    const json question = {{"id", 1}, {"ask", "fleet"}, {"with", {{"group", "sensors"}}}};
    text->say(question.dump());
    binary->say_cbor(question);
    REQUIRE(text->came.size() == 1);
    REQUIRE(binary->came.size() == 1);
    const json& cells = binary->came[0]["answer"]["groups"][0]["cells"];
    REQUIRE(cells.is_binary());
    fleet_answer one;
    fleet_answer other;
    from_json(text->came[0]["answer"], one, "");
    from_json(binary->came[0]["answer"], other, "");
    CHECK(one.groups.at(0).cells == other.groups.at(0).cells);
    CHECK(one.groups.at(0).cells.size() == 10);
    binary->say_cbor({{"id", 2}, {"ask", "total"}});
    CHECK(binary->came.back()["error"] ==
          "ask: there is no question \"total\"; did you mean \"totals\"?");
}

TEST_CASE("whatever comes is answered with a sentence, and nobody is the worse for it",
          "[feed][feed_service][threat/hostile_bytes]") {
    stage of;
    const auto viewer = of.open();
    for (const char* const each :
         {"", "{", "null", "[]", "7", R"({"id": -1, "ask": "totals"})", R"({"id": "1"})",
          R"({"id": 1.5, "ask": "totals"})", R"({"id": 1})", R"({"id": 1, "ask": 7})",
          R"({"id": 1, "ask": "totals", "with": 3})", R"({"id": 1, "ask": "totals", "with": []})",
          R"({"id": 1, "ask": "totals", "every": "1"})", R"({"id": 1, "ask": "pause", "every": 1})",
          R"({"id": 1, "ask": "totals", "every": 0})", R"({"id": 1, "ask": "totals", "more": 1})",
          R"({"id": 1, "ask": "publish", "with": {"topic": ""}})",
          R"({"id": 1, "ask": "fault", "with": {"fault": "{\"kind\": 7}"}})"}) {
        INFO(each);
        const std::size_t before = viewer->came.size();
        viewer->say(each);
        REQUIRE(viewer->came.size() == before + 1);
        CHECK(viewer->came.back()["error"].is_string());
    }
    viewer->say(R"({"id": 1, "ask": "totals"})");
    CHECK(viewer->came.back().contains("answer"));
}

TEST_CASE("what was done is seen by who asks next", "[feed][feed_service]") {
    stage of;
    const auto viewer = of.open();
    viewer->say(R"({"id": 1, "ask": "log"})");
    viewer->say(R"({"id": 2, "ask": "publish", "with": {"topic": "s/x"}})");
    viewer->say(R"({"id": 3, "ask": "log"})");
    REQUIRE(viewer->came.size() == 3);
    CHECK(viewer->came[2]["answer"]["rows"].size() == viewer->came[0]["answer"]["rows"].size() + 1);
}

TEST_CASE("viewers may outlive the service, and routes do", "[feed][feed_service]") {
    auto of = std::make_unique<stage>();
    const auto viewer = of->open();
    of.reset();
    viewer->say(R"({"id": 1, "ask": "totals"})");
    CHECK(viewer->came.empty());
    viewer->leave();
}

TEST_CASE("questions are GET, commands POST; what is wrong has a status and a sentence",
          "[feed][feed_service]") {
    stage of;
    broker::http_service http;
    http.routes = of.service.routes();
    http.websockets = of.service.websockets();
    const auto status = [&](const std::string& request) {
        return test::status_line(test::answer_to(http, request)).substr(9, 3);
    };
    const auto body = [&](const std::string& request) {
        return json::parse(test::body_of(test::answer_to(http, request)));
    };
    const auto post = [&](const std::string& path, const std::string& text) {
        return test::request_text("POST", path,
                                  "Content-Length: " + std::to_string(text.size()) + "\r\n") +
               text;
    };
    CHECK(body(test::get("/api/totals"))["at"] == 5);
    CHECK(body(test::get("/api/topics?parent=s%2F3&limit=5&order=recent"))["all"] == 1);
    CHECK(body(test::get("/api/topics?parent_is_root=false&parent=s"))["all"] == 10);
    CHECK(body(test::get("/api/device?name=panel%5B0%5D"))["fleet"] == "panel");
    CHECK(status(test::get("/api/topics?limit=0")) == "400");
    CHECK(status(test::get("/api/topics?limit=ten")) == "400");
    CHECK(status(test::get("/api/topics?nothing=1")) == "400");
    CHECK(status(test::get("/api/topics?at=1")) == "409");
    CHECK(status(test::get("/api/nothing")) == "404");
    CHECK(status(test::get("/api/annotate")) == "405");
    CHECK(status(post("/api/totals", "")) == "405");
    CHECK(status(post("/api/annotate", R"({"text": "x"})")) == "200");
    CHECK(status(post("/api/annotate", "{")) == "400");
    CHECK(status(post("/api/annotate", "[1]")) == "400");
    CHECK(status(post("/api/annotate", R"({"txt": "x"})")) == "400");
    CHECK(status(post("/api/pause", "")) == "409");  // nobody paces this world
    broker::http_exchange upgraded(http);
    upgraded.handle_bytes(as_bytes_view(
        test::upgrade_to("/feed", "Sec-WebSocket-Protocol: other, fleetarium.feed.v1.cbor\r\n")));
    const auto granted = upgraded.poll_upgrade();
    REQUIRE(granted);
    CHECK(granted->subprotocol == "fleetarium.feed.v1.cbor");
    CHECK(body(test::get("/api/openapi.json"))["paths"].size() == question_table().size());
    CHECK(body(test::get("/api/asyncapi.json"))["channels"].contains("/feed"));
}
