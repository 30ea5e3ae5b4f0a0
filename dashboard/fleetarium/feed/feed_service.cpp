#include <fleetarium/feed/feed_service.hpp>

#include <fleetarium/core/hash.hpp>
#include <fleetarium/feed/described_json.hpp>
#include <fleetarium/feed/feed_documents.hpp>
#include <fleetarium/feed/page_assets.hpp>
#include <fleetarium/feed/question_table.hpp>
#include <fleetarium/feed/shallow_json.hpp>
#include <fleetarium/net/real_clock.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>

namespace fleetarium::feed {

namespace {

using json = nlohmann::json;
using broker::http_request;
using broker::http_response;
using broker::websocket_kind;
using broker::websocket_peer;

constexpr std::size_t questions_max = 64;
constexpr double every_min = 0.05;
/// What answers that are given again and again may take of the source's time.
constexpr double share_max = 0.02;
constexpr double every_max = 60;
/// However long answers take: people wait for them.
constexpr double rest_max = 0.5;
/// A viewer who has not taken so much yet gets nothing new.
constexpr std::size_t unconfirmed_max = std::size_t{2} << 20;
constexpr std::string_view cbor_protocol = "fleetarium.feed.v1.cbor";

std::string text_of(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

http_response answer_with(unsigned status, const json& body) {
    http_response out;
    out.status = status;
    out.content_type = "application/json";
    out.body = text_of(body);
    return out;
}

http_response refuse_with(const feed_error& error) {
    return answer_with(error.kind() == feed_error::kind::bad_question ? 400 : 409,
                       {{"error", error.what()}});
}

/// A value of a query string, as the parameter's schema wants it.
json value_of(const std::string& text, const json& schema) {
    const std::string type = schema.is_object() ? schema.value("type", "string") : "string";
    if (type == "string") {
        return text;
    }
    json read = read_shallow(text, answer_form::json);
    return read.is_discarded() ? json(text) : read;
}

}  // namespace

class feed_service::implementation : public std::enable_shared_from_this<implementation> {
public:
    explicit implementation(with_source access) : access_(std::move(access)) {}

    http_response ask(const question_entry& which, const http_request& request) {
        try {
            json parameters = json::object();
            if (which.is_command) {
                if (!request.body.empty()) {
                    parameters = read_shallow(request.body, answer_form::json);
                    if (parameters.is_discarded()) {
                        throw feed_error(feed_error::kind::bad_question,
                                         "the body is no JSON; expected an object");
                    }
                }
            } else {
                const json schema = which.parameters_schema();
                for (const auto& each : broker::query_parameters(request.query)) {
                    parameters[each.name] =
                        value_of(each.value, schema["properties"].value(each.name, json()));
                }
            }
            json answer;
            access_([&](source& of) { answer = which.ask(of, parameters, answer_form::json); });
            forget_after(which);
            return answer_with(200, answer);
        } catch (const feed_error& error) {
            return refuse_with(error);
        }
    }

    void open(std::shared_ptr<websocket_peer> peer) {
        auto made = std::make_shared<viewer>();
        made->peer = std::move(peer);
        made->form =
            made->peer->subprotocol() == cbor_protocol ? answer_form::cbor : answer_form::json;
        viewers_.push_back(made);
        const std::weak_ptr<implementation> weak = weak_from_this();
        const std::weak_ptr<viewer> mine = made;
        made->peer->handle({.message =
                                [weak, mine](broker::websocket_message message) {
                                    const auto self = weak.lock();
                                    const auto from = mine.lock();
                                    if (self != nullptr && from != nullptr) {
                                        self->take(*from, message);
                                    }
                                },
                            .drained = {},
                            .closed =
                                [weak, mine](std::uint16_t, const std::string&) {
                                    const auto self = weak.lock();
                                    if (self != nullptr) {
                                        std::erase(self->viewers_, mine.lock());
                                    }
                                }});
    }

    void poll(double now) {
        now_ = now;
        // Who asks the same at the same time gets the same answer, which is made once.
        made_.clear();
        if (now < rest_until_) {
            return;
        }
        spent_ = 0;
        const std::vector<std::shared_ptr<viewer>> all = viewers_;
        const instant began = net::real_now();
        for (const auto& each : all) {
            serve(*each);
        }
        const std::chrono::duration<double> spent = net::real_now() - began;
        rest_until_ = now + std::min(spent.count() * (1 / share_max - 1), rest_max);
    }

    std::size_t viewers() const { return viewers_.size(); }

private:
    struct asked {
        const question_entry* which = nullptr;
        json parameters{};
        std::string key{};  // what is asked, as text
        double every = 0;   // 0: once
        double due = 0;
        std::uint64_t last = 0;  // hash of the last answer
        bool answered = false;
    };
    struct viewer {
        std::shared_ptr<websocket_peer> peer;
        answer_form form = answer_form::json;
        std::map<std::uint64_t, asked> questions;  // by the viewer's id
    };
    struct made_answer {
        std::string bytes;  // of the member "answer" or "error", with its name
        std::uint64_t hash = 0;
    };

    void send(viewer& to, const json& message) {
        if (to.form == answer_form::cbor) {
            std::string bytes;
            json::to_cbor(message, bytes);
            to.peer->send_binary(bytes);
        } else {
            to.peer->send_text(text_of(message));
        }
    }

    /// What was answered before a command may not be so any more.
    void forget_after(const question_entry& which) {
        if (which.is_command) {
            made_.clear();
        }
    }

    void take(viewer& from, const broker::websocket_message& message) {
        json read = read_shallow(message.payload, message.kind == websocket_kind::binary
                                                      ? answer_form::cbor
                                                      : answer_form::json);
        if (!read.is_object() || !read.contains("id") || !read["id"].is_number_unsigned()) {
            send(from, {{"error",
                         "expected an object with an \"id\" that is a whole number, such "
                         "as {\"id\": 1, \"ask\": \"totals\"}"}});
            return;
        }
        const auto id = read["id"].get<std::uint64_t>();
        json wrong = {{"id", id}};
        try {
            take(from, id, read);
            if (spent_ < 0.02 || is_command(read)) {  // else they wait for the next poll
                const instant began = net::real_now();
                serve(from);
                spent_ += std::chrono::duration<double>(net::real_now() - began).count();
            }
        } catch (const feed_error& error) {
            wrong["error"] = error.what();
            send(from, wrong);
        }
    }

    static bool is_command(const json& read) {
        const auto name = read.find("ask");
        const question_entry* const which = name != read.end() && name->is_string()
                                                ? find_question(name->get<std::string>())
                                                : nullptr;
        return which != nullptr && which->is_command;
    }

    void take(viewer& from, std::uint64_t id, const json& read) {
        for (const auto& [name, value] : read.items()) {
            if (name != "id" && name != "ask" && name != "with" && name != "every" &&
                name != "cancel") {
                throw feed_error(
                    feed_error::kind::bad_question,
                    "there is no member \"" + name + "\" (there are id, ask, with, every, cancel)");
            }
        }
        if (read.contains("cancel")) {
            from.questions.erase(id);
            return;
        }
        const std::string name =
            read.contains("ask") && read["ask"].is_string() ? read["ask"].get<std::string>() : "";
        asked made;
        made.which = find_question(name);
        if (made.which == nullptr) {
            const std::string near = nearest_question(name);
            throw feed_error(feed_error::kind::bad_question,
                             "ask: there is no question \"" + name + "\"" +
                                 (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
        }
        made.parameters = read.value("with", json::object());
        if (read.contains("every")) {
            // Not the other way round: CBOR has numbers that are none, and compare with nothing.
            if (!read["every"].is_number() || !(read["every"].get<double>() >= every_min &&
                                                read["every"].get<double>() <= every_max)) {
                throw feed_error(feed_error::kind::bad_question,
                                 "every: expected 0.05 to 60 seconds");
            }
            if (made.which->is_command) {
                throw feed_error(feed_error::kind::bad_question,
                                 "every: commands are carried out once");
            }
            made.every = read["every"].get<double>();
        }
        if (from.questions.size() >= questions_max && !from.questions.contains(id)) {
            throw feed_error(feed_error::kind::bad_question,
                             "64 questions are open: cancel some before asking more");
        }
        made.key = name + ' ' + text_of(made.parameters);
        made.due = now_;
        from.questions[id] = std::move(made);
    }

    /// Answers what is due, the longest due first, as far as the viewer keeps up.
    void serve(viewer& to) {
        while (to.peer->is_open() && to.peer->bytes_unconfirmed() <= unconfirmed_max) {
            const auto next = std::min_element(
                to.questions.begin(), to.questions.end(),
                [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
            if (next == to.questions.end() || next->second.due > now_) {
                return;
            }
            const std::uint64_t id = next->first;
            asked& question = next->second;
            const made_answer& made = answer_to(question, to.form);
            if (!question.answered || made.hash != question.last) {
                question.answered = true;
                question.last = made.hash;
                send(to, id, made);
            }
            if (question.every == 0) {
                to.questions.erase(next);
            } else {
                question.due = now_ + question.every;
            }
        }
    }

    static void send(viewer& to, std::uint64_t id, const made_answer& made) {
        if (to.form == answer_form::cbor) {
            // A map of two: the id, and what was made.
            std::string bytes(1, static_cast<char>(0xA2));
            json::to_cbor("id", bytes);
            json::to_cbor(id, bytes);
            to.peer->send_binary(bytes + made.bytes);
        } else {
            to.peer->send_text("{\"id\":" + std::to_string(id) + ',' + made.bytes + '}');
        }
    }

    const made_answer& answer_to(const asked& question, answer_form form) {
        std::string key = question.key + (form == answer_form::cbor ? " cbor" : " json");
        if (!question.which->is_command) {
            if (const auto known = made_.find(key); known != made_.end()) {
                return known->second;
            }
        }
        json answer;
        const char* member = "answer";
        try {
            access_(
                [&](source& of) { answer = question.which->ask(of, question.parameters, form); });
        } catch (const std::exception& error) {
            member = "error";
            answer = error.what();
        }
        forget_after(*question.which);
        made_answer made;
        if (form == answer_form::cbor) {
            json::to_cbor(member, made.bytes);
            json::to_cbor(answer, made.bytes);
        } else {
            made.bytes = '"' + std::string(member) + "\":" + text_of(answer);
        }
        made.hash = hash_text(made.bytes);
        return made_.insert_or_assign(std::move(key), std::move(made)).first->second;
    }

    with_source access_;
    std::vector<std::shared_ptr<viewer>> viewers_;
    std::map<std::string, made_answer> made_;  // of this moment
    double now_ = 0;
    double rest_until_ = 0;
    double spent_ = 0;  // by questions asked since the last poll, in seconds
};

feed_service::feed_service(with_source access)
    : implementation_(std::make_shared<implementation>(std::move(access))) {}
feed_service::~feed_service() = default;

std::vector<broker::http_route> feed_service::routes() {
    std::vector<broker::http_route> out;
    for (const question_entry& each : question_table()) {
        broker::http_route made;
        made.method = each.is_command ? "POST" : "GET";
        made.path = "/api/" + std::string(each.name);
        made.what = each.what;
        made.handle = [held = implementation_, which = &each](const http_request& request) {
            return held->ask(*which, request);
        };
        out.push_back(std::move(made));
    }
    const auto document = [&](const char* path, const char* what, std::string (*text)()) {
        broker::http_route made;
        made.path = path;
        made.what = what;
        made.access = broker::http_access::open;
        made.handle = [text](const http_request&) {
            http_response answer;
            answer.content_type = "application/json";
            answer.body = text();
            return answer;
        };
        out.push_back(std::move(made));
    };
    document("/api/openapi.json", "the REST API, for machines", openapi_document);
    document("/api/asyncapi.json", "the WebSocket feed, for machines", asyncapi_document);
    std::vector<broker::http_route> page = asset_routes(page_assets());
    out.insert(out.end(), std::make_move_iterator(page.begin()),
               std::make_move_iterator(page.end()));
    return out;
}

std::vector<broker::websocket_route> feed_service::websockets() {
    broker::websocket_route made;
    made.path = "/feed";
    made.what = "the live feed, a WebSocket";
    made.subprotocols = {std::string(feed_protocol), std::string(cbor_protocol)};
    made.opened = [held = implementation_](std::shared_ptr<websocket_peer> peer) {
        held->open(std::move(peer));
    };
    return {made};
}

void feed_service::poll(double now) { implementation_->poll(now); }
std::size_t feed_service::viewers() const { return implementation_->viewers(); }

}  // namespace fleetarium::feed
