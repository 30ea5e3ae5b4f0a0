#include "judge_program.hpp"

#include <mqtt/async_client.h>
#include <mqtt/client.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <thread>

// Paho's C++ client judges a broker: messages are consumed from its queue, requests are awaited
// through its tokens. judging/programs.py starts it.

namespace fleetarium::judges {
namespace {

using namespace std::chrono_literals;

struct setup {
    std::string url{};  ///< empty: the place's
    std::string client_id{};
    bool keep = false;
    mqtt::const_message_ptr will{};
    std::string user_name{};
    std::string password{};
    bool certificate = false;
};

std::string brief(const mqtt::message& arrived) {
    const std::string payload = arrived.get_payload_str();
    return arrived.get_topic() + ' ' +
           (payload.size() > 100 ? std::to_string(payload.size()) + " bytes" : payload) + ' ' +
           std::to_string(arrived.get_qos()) + (arrived.is_retained() ? " retained" : "");
}

/// An asynchronous client whose requests are waited for.
class cpp_client {
public:
    explicit cpp_client(const place& where, const setup& chosen = {})
        : where_(where),
          chosen_(chosen),
          client_(chosen.url.empty() ? where.url() : chosen.url, chosen.client_id,
                  mqtt::create_options(where.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1, 100'000)) {
        client_.set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode code) {
            watch_.change([&] { end_code_ = code; });
        });
        client_.set_connection_lost_handler(
            [this](const std::string&) { watch_.change([&] { lost_ = true; }); });
        client_.start_consuming();
    }

    /// Throws `wrong` if CONNACK has another code; whether the session was there.
    bool open(int code = 0) {
        mqtt::connect_options_builder builder;
        builder.keep_alive_interval(30s).connect_timeout(deadline).mqtt_version(
            where_.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
        if (where_.v5) {
            builder.clean_start(!chosen_.keep);
            if (chosen_.keep) {
                builder.properties(mqtt::properties{
                    mqtt::property(mqtt::property::SESSION_EXPIRY_INTERVAL, 1000)});
            }
        } else {
            builder.clean_session(!chosen_.keep);
        }
        if (chosen_.will) {
            builder.will(mqtt::will_options(*chosen_.will));
        }
        if (!chosen_.user_name.empty()) {
            builder.user_name(chosen_.user_name).password(chosen_.password);
        }
        if (where_.secure()) {
            mqtt::ssl_options_builder tls;
            tls.trust_store(where_.given["ca"]).verify(true);
            if (chosen_.certificate) {
                tls.key_store(where_.given["cert"]).private_key(where_.given["key"]);
            }
            builder.ssl(tls.finalize());
        }
        int got = 0;
        bool present = false;
        try {
            const auto token = client_.connect(builder.finalize());
            finish(*token, "CONNECT");
            present = token->get_connect_response().is_session_present();
        } catch (const mqtt::exception& refused) {
            got = refused.get_reason_code() != 0 ? static_cast<int>(refused.get_reason_code())
                                                 : refused.get_return_code();
        }
        expect("CONNECT", code, got);
        return present;
    }

    int subscribe(const std::string& filter, int qos = 2,
                  const mqtt::subscribe_options& options = {},
                  const mqtt::properties& properties = {}) {
        const auto token = client_.subscribe(filter, qos, options, properties);
        try {
            finish(*token, "SUBSCRIBE " + filter);
        } catch (const mqtt::exception& refused) {
            return refused.get_reason_code() != 0 ? static_cast<int>(refused.get_reason_code())
                                                  : refused.get_return_code();
        }
        return where_.v5 ? static_cast<int>(token->get_reason_code()) : qos;
    }

    void unsubscribe(const std::string& filter) {
        finish(*client_.unsubscribe(filter), "UNSUBSCRIBE " + filter);
    }

    /// The code of the acknowledgement.
    int publish(const std::string& topic, const std::string& payload, int qos,
                bool retained = false, const mqtt::properties& properties = {}) {
        const auto token =
            client_.publish(mqtt::message::create(topic, payload, qos, retained, properties));
        try {
            finish(*token, "PUBLISH " + topic);
        } catch (const mqtt::exception& refused) {
            return refused.get_reason_code();
        }
        return token->get_reason_code();
    }

    /// Does not wait.
    mqtt::delivery_token_ptr send(const std::string& topic, const std::string& payload, int qos) {
        return client_.publish(mqtt::make_message(topic, payload, qos, false));
    }

    mqtt::const_message_ptr receive(const std::string& sent,
                                    std::chrono::seconds limit = deadline) {
        mqtt::const_message_ptr arrived;
        if (!client_.try_consume_message_for(&arrived, limit) || !arrived) {
            throw wrong("sent:     " + sent + "\nexpected: a message within " +
                        std::to_string(limit.count()) + " s\ngot:      none");
        }
        return arrived;
    }

    void disconnect() { finish(*client_.disconnect(), "DISCONNECT"); }

    /// Waits for the end of the connection; the code in DISCONNECT, 0 without one.
    int ended(const std::string& sent) {
        watch_.wait(
            sent, "the end of the connection", [&] { return end_code_ != 0 || lost_; },
            [] { return "a connection"; });
        return end_code_;
    }

private:
    static void finish(mqtt::token& waited, const std::string& sent) {
        if (!waited.wait_for(deadline)) {
            throw wrong("sent:     " + sent + "\nexpected: its acknowledgement within 30 s\n" +
                        "got:      none");
        }
    }

    place where_;
    setup chosen_;
    watch watch_;
    int end_code_ = 0;
    bool lost_ = false;
    mqtt::async_client client_;  // last: its callbacks use the others
};

// Both versions

void every_qos(const place& where) {
    cpp_client client(where);
    client.open();
    const std::string topic = where.named("cpp");
    for (int qos = 0; qos <= 2; ++qos) {
        expect("SUBSCRIBE", qos, client.subscribe(topic + std::to_string(qos), qos));
    }
    const std::string payload("a\0b", 3);
    for (int allowed = 0; allowed <= 2; ++allowed) {
        for (int qos = 0; qos <= 2; ++qos) {
            const std::string name = topic + std::to_string(allowed);
            client.publish(name, payload, qos);
            expect("PUBLISH at QoS " + std::to_string(qos),
                   name + ' ' + payload + ' ' + std::to_string(std::min(qos, allowed)),
                   brief(*client.receive("PUBLISH")));
        }
    }
    const std::string large(1 << 20, 'z');
    client.publish(topic + '2', large, 2);
    expect("one MiB", large, client.receive("PUBLISH")->get_payload_str());
    client.disconnect();
}

void retained_and_kept(const place& where) {
    const std::string topic = where.named("cpp-kept");
    setup chosen;
    chosen.client_id = topic;
    chosen.keep = true;
    cpp_client sender(where.other());
    sender.open();
    sender.publish(topic, "first", 1, true);
    {
        cpp_client client(where, chosen);
        expect("CONNECT of a new session: session present", false, client.open());
        client.subscribe(topic);
        expect("SUBSCRIBE", topic + " first 1 retained", brief(*client.receive("SUBSCRIBE")));
        client.disconnect();
    }
    sender.publish(topic, "second", 1, true);
    sender.publish(topic, "", 1, true);
    cpp_client client(where, chosen);
    expect("CONNECT of a kept session: session present", true, client.open());
    expect("two messages while away", topic + " second 1", brief(*client.receive("CONNECT")));
    expect("two messages while away", topic + "  1", brief(*client.receive("CONNECT")));
    client.unsubscribe(topic);
    client.disconnect();
    chosen.keep = false;
    cpp_client last(where, chosen);
    expect("CONNECT with clean start: session present", false, last.open());
}

void will(const place& where) {
    const std::string topic = where.named("cpp-will");
    cpp_client receiver(where.other());
    receiver.open();
    receiver.subscribe(topic);
    setup chosen;
    chosen.url = where.relayed_url();
    chosen.will = mqtt::make_message(topic, "gone", 2, false);
    cpp_client lost(where, chosen);
    lost.open();
    ask("cut " + where.transport);
    expect("a client that is cut off", topic + " gone 2", brief(*receiver.receive("its will")));
}

void ten_thousand(const place& where) {
    cpp_client receiver(where);
    cpp_client sender(where.other());
    receiver.open();
    sender.open();
    const std::string topic = where.named("cpp-many");
    receiver.subscribe(topic, 1);
    std::vector<mqtt::delivery_token_ptr> under_way;
    for (int number = 0; number < 10'000; ++number) {
        under_way.push_back(sender.send(topic, std::to_string(number), 1));
        if (under_way.size() ==
            200) {  // more make Paho slow: its lists are searched from the front
            under_way.back()->wait_for(deadline);
            under_way.clear();
        }
    }
    for (int number = 0; number < 10'000; ++number) {
        expect("number " + std::to_string(number) + " of 10,000", std::to_string(number),
               receiver.receive("10,000 messages")->get_payload_str());
    }
}

void blocking(const place& where) {
    mqtt::client client(where.url(), "",
                        mqtt::create_options(where.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1, 100));
    client.set_timeout(deadline);
    mqtt::connect_options_builder builder;
    builder.mqtt_version(where.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
    if (where.secure()) {
        builder.ssl(mqtt::ssl_options_builder().trust_store(where.given["ca"]).finalize());
    }
    client.start_consuming();
    client.connect(builder.finalize());
    const std::string topic = where.named("cpp-blocking");
    client.subscribe(topic, 1);
    client.publish(mqtt::make_message(topic, "x", 1, false));
    mqtt::const_message_ptr arrived;
    expect("PUBLISH: a message arrives", true, client.try_consume_message_for(&arrived, deadline));
    expect("PUBLISH", topic + " x 1", brief(*arrived));
    client.disconnect();
}

// Version 5 only

void request_response(const place& where) {
    const std::string service = where.named("cpp-service");
    const std::string answers = where.named("cpp-answers");
    cpp_client server(where);
    cpp_client client(where.other());
    server.open();
    client.open();
    server.subscribe(service);
    client.subscribe(answers);
    client.publish(service, "2+3", 1, false,
                   {{mqtt::property::RESPONSE_TOPIC, answers},
                    {mqtt::property::CORRELATION_DATA, std::string("\0nr", 3)},
                    {mqtt::property::CONTENT_TYPE, "text/plain"},
                    {mqtt::property::USER_PROPERTY, "who", "me"}});
    const auto asked = server.receive("a request");
    mqtt::properties given = asked->get_properties();
    expect("content type", std::string("text/plain"),
           mqtt::get<std::string>(given, mqtt::property::CONTENT_TYPE));
    const auto pair = mqtt::get<mqtt::string_pair>(given, mqtt::property::USER_PROPERTY);
    expect("user property", std::string("who=me"), std::get<0>(pair) + '=' + std::get<1>(pair));
    server.publish(mqtt::get<std::string>(given, mqtt::property::RESPONSE_TOPIC), "5", 1, false,
                   {given.get(mqtt::property::CORRELATION_DATA)});
    const auto answer = client.receive("an answer");
    expect("an answer", std::string("5"), answer->get_payload_str());
    expect("correlation data", std::string("\0nr", 3),
           mqtt::get<std::string>(answer->get_properties(), mqtt::property::CORRELATION_DATA));
}

void subscription_options(const place& where) {
    const std::string topic = where.named("cpp-options");
    cpp_client client(where);
    cpp_client other(where.other());
    client.open();
    other.open();
    client.subscribe(topic, 1, mqtt::subscribe_options(true, true),
                     {{mqtt::property::SUBSCRIPTION_IDENTIFIER, 77}});
    client.publish(topic, "mine", 1);
    other.publish(topic, "", 1, true);
    const auto got = client.receive("no local, retain as published");
    expect("no local, retain as published", topic + "  1 retained", brief(*got));
    expect("subscription identifier", 77,
           static_cast<int>(mqtt::get<std::uint32_t>(got->get_properties(),
                                                     mqtt::property::SUBSCRIPTION_IDENTIFIER)));
}

void shared(const place& where) {
    const std::string topic = where.named("cpp-jobs");
    cpp_client first(where);
    cpp_client second(where.other());
    for (cpp_client* member : {&first, &second}) {
        member->open();
        member->subscribe("$share/crew/" + topic, 1);
        member->subscribe(topic + "/end", 1);
    }
    std::multiset<std::string> expected;
    for (int number = 0; number < 60; ++number) {
        first.publish(topic, std::to_string(number), 1);
        expected.insert(std::to_string(number));
    }
    first.publish(topic + "/end", "end", 1);
    std::multiset<std::string> got;
    for (cpp_client* member : {&first, &second}) {
        const std::size_t before = got.size();
        for (;;) {
            const std::string payload = member->receive("60 jobs, then an end")->get_payload_str();
            if (payload == "end") {
                break;
            }
            got.insert(payload);
        }
        expect("60 jobs to two: some to each", true, got.size() > before);
    }
    expect("60 jobs to two: each to one", true, got == expected);
}

// Who may do what

void refused(const place& where) {
    setup chosen;
    chosen.url = where.given["guarded"];
    chosen.user_name = where.given["user"];
    chosen.password = "wrong";
    cpp_client(where, chosen).open(where.v5 ? 0x86 : 4);
    chosen.password = where.given["password"];
    cpp_client client(where, chosen);
    client.open();
    expect("SUBSCRIBE to what is denied", where.v5 ? 0x87 : 0x80, client.subscribe("secret/#"));
    if (where.v5) {
        expect("PUBLISH to what is denied", 0x87, client.publish("secret/x", "x", 1));
    }
}

void known_by_certificate(const place& where) {
    setup chosen;
    chosen.url = where.given["mutual"];
    chosen.certificate = true;
    cpp_client client(where, chosen);
    client.open();
    const std::string own = "by_name/" + where.given["device"] + "/x";
    client.subscribe(own);
    client.publish("by_name/other/x", "x", 1);
    client.publish(own, "x", 1);
    expect("to another's topic, then to an own one", own + " x 1",
           brief(*client.receive("PUBLISH")));
}

/// Paho looks for new sockets when its wait for the others ends: after a second or more, unless one
/// of them has news. This client has news all the time, so that connecting takes no seconds.
class restless_client {
public:
    explicit restless_client(const place& where) : client_(where) {
        client_.open();
        client_.subscribe("restless-cpp", 0);
        thread_ = std::thread([this] {
            while (!stopping_) {
                client_.send("restless-cpp", "", 0);
                std::this_thread::sleep_for(5ms);
            }
        });
    }
    restless_client(const restless_client&) = delete;
    restless_client& operator=(const restless_client&) = delete;
    ~restless_client() {
        stopping_ = true;
        thread_.join();
    }

private:
    cpp_client client_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

void run(const settings& given) {
    std::vector<place> places;
    for (const std::string transport : {"tcp", "tls", "ws", "wss"}) {
        if (given.has(transport)) {
            places.push_back({given, transport, false});
            places.push_back({given, transport, true});
        }
    }
    auto restless = std::make_unique<restless_client>(places.front());
    for (const place& where : places) {
        judge(where, "QoS 0, 1, 2 to subscriptions at QoS 0, 1, 2, and one MiB", every_qos);
        judge(where, "a retained message, and a kept session's queue", retained_and_kept);
        judge(where, "a lost client's will is published", will);
        judge(where, "the blocking client", blocking);
        if (where.v5) {
            judge(where, "a request with response topic and correlation data is answered",
                  request_response);
            judge(where, "no local, retain as published, subscription identifier",
                  subscription_options);
            judge(where, "a shared subscription deals each message to one member", shared);
        }
        if (where.transport == "tcp") {
            judge(where, "ten thousand messages at QoS 1, in order", ten_thousand);
            judge(where, "a wrong password and denied topics are refused", refused);
        }
        if (where.transport == "tls") {
            judge(where, "a client is known by its certificate", known_by_certificate);
        }
    }

    std::vector<std::pair<place, std::unique_ptr<cpp_client>>> last;
    for (const place& where : places) {
        if (where.transport != "ws" && (where.transport != "wss" || where.v5)) {
            last.emplace_back(where, std::make_unique<cpp_client>(where));  // one WebSocket
            last.back().second->open();
        }
    }
    restless.reset();
    ask("stop");
    for (const auto& [where, client] : last) {
        judge(where, "SIGTERM ends the connection as it should", [&](const place& at) {
            expect("SIGTERM", at.v5 ? 0x8B : 0, client->ended("SIGTERM"));
        });
    }
}

}  // namespace
}  // namespace fleetarium::judges

int main(int count, char** words) {
    try {
        fleetarium::judges::run(fleetarium::judges::settings(count, words));
    } catch (const std::exception& problem) {
        std::cout << "gave up: " << problem.what() << std::endl;
        return 1;
    }
    std::cout << "finished" << std::endl;
    return 0;
}
