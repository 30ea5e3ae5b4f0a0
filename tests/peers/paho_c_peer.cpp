#include "paho_c_client.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>

// Paho's asynchronous C client judges a broker. judging/programs.py starts it.

namespace fleetarium::judges {
namespace {

// Both versions

void every_qos(const place& where) {
    paho_client receiver(where);
    paho_client sender(where.other());
    receiver.open();
    sender.open();
    const std::string topic = where.named("qos") + "/\xD0\xBC\xD0\xB8\xD1\x80/";
    std::vector<std::string> expected;
    for (int allowed = 2; allowed >= 0; --allowed) {
        const std::string allowed_topic = topic + std::to_string(allowed);
        expect("SUBSCRIBE", {allowed}, receiver.subscribe({allowed_topic}, allowed));
        for (int qos = 0; qos <= 2; ++qos) {
            sender.publish({allowed_topic, std::string("a\0b", 3), qos});
            expected.push_back(
                message{allowed_topic, std::string("a\0b", 3), std::min(qos, allowed)}.brief());
            expect("a message at each QoS to each subscription", expected,
                   receiver.briefs(expected.size(), "PUBLISH"));
        }
    }
}

void sizes(const place& where) {
    paho_client client(where);
    client.open();
    const std::string topic = where.named("size");
    client.subscribe({topic});
    std::size_t count = 0;
    for (int qos = 0; qos <= 2; ++qos) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{1} << 20}) {
            const std::string payload(size, static_cast<char>('a' + qos));
            client.publish({topic, payload, qos});
            const message got = client.received(++count, "PUBLISH").back();
            expect("a payload of " + std::to_string(size) + " bytes", payload, got.payload);
        }
    }
}

void retained(const place& where) {
    const std::string topic = where.named("kept");
    paho_client sender(where.other());
    sender.open();
    sender.publish({topic + "/x", "old", 1, true});
    sender.publish({topic + "/x", "new", 1, true});
    {
        paho_client early(where);
        early.open();
        early.subscribe({topic + "/+"});
        expect("retained twice, then SUBSCRIBE", {topic + "/x new 1 retained"},
               early.briefs(1, "SUBSCRIBE"));
        sender.publish({topic + "/x", "", 1, true});
        expect("cleared while subscribed", topic + "/x  1", early.briefs(2, "cleared").back());
    }
    paho_client late(where);
    late.open();
    late.subscribe({topic + "/+", topic});
    late.publish({topic, "end", 1});
    expect("cleared, then SUBSCRIBE", {topic + " end 1"}, late.briefs(1, "PUBLISH"));
}

void will(const place& where) {
    paho_client receiver(where.other());
    receiver.open();
    const std::string topic = where.named("will");
    receiver.subscribe({topic + "/#"});
    message polite_will{topic + "/polite", "no", 1};
    client_setup polite_setup;
    polite_setup.will = &polite_will;
    {
        paho_client polite(where, polite_setup);
        polite.open();
        polite.disconnect();
    }
    message lost_will{topic + "/lost", "gone", 2, false};
    client_setup lost_setup;
    lost_setup.url = where.relayed_url();
    lost_setup.will = &lost_will;
    if (where.v5) {
        lost_will.properties.add(MQTTPROPERTY_CODE_CONTENT_TYPE, std::string("text/plain"))
            .add_pair("why", "lost");
    }
    paho_client lost(where, lost_setup);
    lost.open();
    ask("cut " + where.transport);
    const message got = receiver.received(1, "one that disconnected, one cut off").front();
    expect("one that disconnected, one cut off", lost_will.brief(), got.brief());
    if (where.v5) {
        expect("a will with properties", std::string("text/plain"),
               got.properties.text(MQTTPROPERTY_CODE_CONTENT_TYPE));
        expect("a will with properties", {std::string("why=lost")}, got.properties.pairs());
    }
}

void offline_queue(const place& where) {
    client_setup setup;
    setup.client_id = where.named("away");
    setup.keep = true;
    {
        paho_client client(where, setup);
        expect("CONNECT of a new session", false, client.open().session_present);
        client.subscribe({where.named("offline")});
        client.disconnect();
    }
    paho_client sender(where.other());
    sender.open();
    std::vector<std::string> expected;
    for (int number = 0; number < 100; ++number) {
        const message sent{where.named("offline"), std::to_string(number), 1 + number % 2};
        sender.publish(sent);
        expected.push_back(sent.brief());
    }
    paho_client client(where, setup);
    expect("CONNECT of a kept session", true, client.open().session_present);
    // Paho hands out QoS 2 later, at PUBREL.
    auto got = client.briefs(100, "CONNECT");
    const auto qos_1_first = [](std::vector<std::string>& briefs) {
        std::stable_sort(briefs.begin(), briefs.end(), [](const auto& left, const auto& right) {
            return left.back() < right.back();
        });
    };
    qos_1_first(got);
    qos_1_first(expected);
    expect("100 messages while away, in order for each QoS", expected, got);
    client.disconnect();
    setup.keep = false;
    paho_client last(where, setup);
    expect("CONNECT with clean start", false, last.open().session_present);
}

void ten_thousand(const place& where) {
    paho_client receiver(where);
    paho_client sender(where.other());
    receiver.open();
    sender.open();
    const std::string topic = where.named("many");
    receiver.subscribe({topic}, 1);
    for (int number = 0; number < 10'000; ++number) {
        sender.send({topic, std::to_string(number), 1});
        sender.flush(200);  // more under way make Paho slow: its lists are searched from the front
    }
    const auto got = receiver.received(10'000, "10,000 messages", std::chrono::seconds{60});
    for (int number = 0; number < 10'000; ++number) {
        expect("number " + std::to_string(number) + " of 10,000", std::to_string(number),
               got[static_cast<std::size_t>(number)].payload);
    }
    sender.flush(0);
}

void takeover(const place& where) {
    client_setup setup;
    setup.client_id = where.named("twin");
    paho_client first(where, setup);
    first.open();
    paho_client second(where.other(), setup);
    second.open();
    const int code = first.ended("CONNECT with the id of another");
    if (where.v5) {
        expect("CONNECT with the id of another", 0x8E, code);
    }
    second.subscribe({where.named("twin")});
    second.publish({where.named("twin"), "x", 1});
    second.received(1, "a message to itself");
}

// Version 5 only

void properties(const place& where) {
    paho_client client(where);
    client.open();
    const std::string topic = where.named("props");
    property_list number;
    number.add(MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, 268'435'455);
    client.subscribe({topic}, 2, MQTTSubscribe_options_initializer, number);
    message sent{topic, "x", 1};
    const std::string id("\0\1\2", 3);
    sent.properties.add(MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR, 1)
        .add(MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, 1000)
        .add(MQTTPROPERTY_CODE_CONTENT_TYPE, std::string("text/plain"))
        .add(MQTTPROPERTY_CODE_RESPONSE_TOPIC, std::string("answers"))
        .add(MQTTPROPERTY_CODE_CORRELATION_DATA, id)
        .add_pair("b", "1")
        .add_pair("a", "2")
        .add_pair("b", "3");
    client.publish(sent);
    const property_list got = client.received(1, "PUBLISH").front().properties;
    expect("payload format indicator", 1, got.number(MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR));
    expect("message expiry interval 1000: is there and no more", true,
           got.number(MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL) <= 1000 &&
               got.number(MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL) > 990);
    expect("content type", std::string("text/plain"), got.text(MQTTPROPERTY_CODE_CONTENT_TYPE));
    expect("response topic", std::string("answers"), got.text(MQTTPROPERTY_CODE_RESPONSE_TOPIC));
    expect("correlation data", id, got.text(MQTTPROPERTY_CODE_CORRELATION_DATA));
    expect("user properties", {std::string("b=1"), "a=2", "b=3"}, got.pairs());
    expect("subscription identifier", 268'435'455,
           got.number(MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER));
}

void subscription_options(const place& where) {
    const std::string topic = where.named("options");
    paho_client other(where.other());
    other.open();
    other.publish({topic, "kept", 1, true});
    paho_client client(where);
    client.open();
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    options.noLocal = 1;
    options.retainAsPublished = 1;
    options.retainHandling = 2;
    client.subscribe({topic}, 1, options);
    client.publish({topic, "mine", 1});
    other.publish({topic, "", 1, true});
    expect("retain handling 2, no local, retain as published", {topic + "  1 retained"},
           client.briefs(1, "a retained message"));
}

void topic_alias(const place& where) {
    paho_client receiver(where);
    paho_client sender(where.other());
    receiver.open();
    const int most = sender.open().properties.number(MQTTPROPERTY_CODE_TOPIC_ALIAS_MAXIMUM);
    expect("CONNECT: a topic alias maximum in CONNACK", true, most > 0);
    const std::string topic = where.named("alias");
    receiver.subscribe({topic + "/#"});
    const auto send = [&](const std::string& name, const std::string& payload, int alias) {
        message sent{name, payload, 1};
        sent.properties.add(MQTTPROPERTY_CODE_TOPIC_ALIAS, static_cast<unsigned>(alias));
        sender.publish(sent);
    };
    send(topic + "/a", "1", 1);
    send("", "2", 1);
    send(topic + "/b", "3", most);
    send("", "4", most);
    send(topic + "/c", "5", 1);
    send("", "6", 1);
    expect("aliases given, used, given anew",
           {topic + "/a 1 1", topic + "/a 2 1", topic + "/b 3 1", topic + "/b 4 1",
            topic + "/c 5 1", topic + "/c 6 1"},
           receiver.briefs(6, "PUBLISH"));
}

void shared(const place& where) {
    const std::string topic = where.named("jobs");
    paho_client members[]{paho_client(where), paho_client(where.other()),
                          paho_client(where.other())};
    for (paho_client& member : members) {
        member.open();
        member.subscribe({"$share/crew/" + topic, topic + "/end"}, 1);
    }
    std::multiset<std::string> expected;
    for (int number = 0; number < 90; ++number) {
        members[0].publish({topic, std::to_string(number), 1});
        expected.insert(std::to_string(number));
    }
    members[0].publish({topic + "/end", "end", 1});
    std::multiset<std::string> got;
    for (paho_client& member : members) {
        std::size_t count = 1;
        while (member.received(count, "90 jobs to three, then an end").back().payload != "end") {
            got.insert(member.received(count, "90 jobs to three").back().payload);
            ++count;
        }
        expect("90 jobs to three: some to each", true, count > 1);
    }
    expect("90 jobs to three: each to one", true, got == expected);
}

void request_response(const place& where) {
    paho_client server(where);
    paho_client client(where.other());
    server.open();
    client.open();
    server.subscribe({where.named("service")});
    client.subscribe({where.named("answer")});
    message request{where.named("service"), "2+3", 1};
    request.properties.add(MQTTPROPERTY_CODE_RESPONSE_TOPIC, where.named("answer"))
        .add(MQTTPROPERTY_CODE_CORRELATION_DATA, std::string("\0nr", 3));
    client.publish(request);
    const message asked = server.received(1, "a request").front();
    message answer{asked.properties.text(MQTTPROPERTY_CODE_RESPONSE_TOPIC), "5", 1};
    answer.properties.add(MQTTPROPERTY_CODE_CORRELATION_DATA,
                          asked.properties.text(MQTTPROPERTY_CODE_CORRELATION_DATA));
    server.publish(answer);
    const message got = client.received(1, "an answer").front();
    expect("an answer", std::string("5"), got.payload);
    expect("an answer", std::string("\0nr", 3),
           got.properties.text(MQTTPROPERTY_CODE_CORRELATION_DATA));
}

void told(const place& where) {
    paho_client client(where);
    const outcome& welcome = client.open();
    expect("CONNECT without an id: an assigned client identifier", false,
           welcome.properties.text(MQTTPROPERTY_CODE_ASSIGNED_CLIENT_IDENTIFER).empty());
    const std::string topic = where.named("told");
    client.subscribe({topic});
    expect("UNSUBSCRIBE of one that is there, one that is not", {0, 0x11},
           client.unsubscribe({topic, "never"}));
}

// Who may do what

void refused(const place& where) {
    const auto try_as = [&](const std::string& name, const std::string& password, int code) {
        client_setup setup;
        setup.url = where.given["guarded"];
        setup.user_name = name;
        setup.password = password;
        paho_client(where, setup).open(code);
    };
    const int bad = where.v5 ? 0x86 : 4;
    try_as(where.given["user"], "wrong", bad);
    try_as("stranger", where.given["password"], bad);
    try_as("", "", where.v5 ? 0x87 : 5);
    try_as(where.given["user"], where.given["password"], 0);
}

void access_rules(const place& where) {
    client_setup setup;
    setup.url = where.given["guarded"];
    setup.client_id = "box-1";
    setup.user_name = where.given["user"];
    setup.password = where.given["password"];
    paho_client client(where, setup);
    client.open();
    const std::string own = "by_name/" + where.given["user"];
    const int denied = where.v5 ? 0x87 : 0x80;
    expect("SUBSCRIBE to own topics, to others, to what only may be read", {2, 2, denied, 2},
           client.subscribe({"by_id/box-1/#", own + "/+", "by_id/box-2/#", "only_read/x"}));
    for (const std::string topic : {"by_id/box-2/x", "only_read/x"}) {
        const int code = client.publish({topic, "x", 1});
        expect("PUBLISH " + topic, where.v5 ? 0x87 : 0, code);
    }
    client.publish({own + "/x", "x", 1});
    expect("to others' topics, then to an own one", {own + "/x x 1"}, client.briefs(1, "PUBLISH"));
}

void known_by_certificate(const place& where) {
    client_setup setup;
    setup.url = where.given["mutual"];
    setup.certificate = true;
    paho_client client(where, setup);
    client.open();
    const std::string own = "by_name/" + where.given["device"];
    expect("SUBSCRIBE to own topics", {2}, client.subscribe({own + "/#"}));
    client.publish({"by_name/other/x", "x", 1});
    client.publish({own + "/x", "x", 1});
    expect("to another's topic, then to an own one", {own + "/x x 1"}, client.briefs(1, "PUBLISH"));
    setup.certificate = false;
    paho_client stranger(where, setup);
    bool let_in = true;
    try {
        stranger.open();
    } catch (const wrong&) {
        let_in = false;
    }
    expect("CONNECT without a certificate: let in", false, let_in);
}

/// Paho looks for new sockets when its wait for the others ends: after a second or more, unless one
/// of them has news. This client has news all the time, so that connecting takes no seconds.
class restless_client {
public:
    explicit restless_client(const place& where) : client_(where) {
        client_.open();
        client_.subscribe({"restless"}, 0);
        thread_ = std::thread([this] {
            while (!stopping_) {
                client_.send({"restless", "", 0});
                std::this_thread::sleep_for(std::chrono::milliseconds{5});
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
    paho_client client_;
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
    std::optional<restless_client> restless(std::in_place, places.front());
    for (const place& where : places) {
        judge(where, "QoS 0, 1, 2 to subscriptions at QoS 0, 1, 2", every_qos);
        judge(where, "an empty payload, and one of one MiB at each QoS", sizes);
        judge(where, "a retained message stays until it is cleared", retained);
        judge(where, "a lost client's will is published, a disconnected client's is not", will);
        judge(where, "a kept session gets what was published while its client was away",
              offline_queue);
        judge(where, "a second client of the same id takes over", takeover);
        if (where.v5) {
            judge(where, "properties of a message arrive as they were sent", properties);
            judge(where, "no local, retain as published and retain handling are kept",
                  subscription_options);
            judge(where, "topic aliases given, used and given anew", topic_alias);
            judge(where, "a shared subscription deals each message to one member", shared);
            judge(where, "a request with response topic and correlation data is answered",
                  request_response);
            judge(where, "acknowledgements tell what became of it", told);
        }
        if (where.transport == "tcp") {
            judge(where, "ten thousand messages at QoS 1, in order", ten_thousand);
            judge(where, "a wrong password, an unknown user and no user are refused", refused);
            judge(where, "the access file lets through what it names and nothing else",
                  access_rules);
        }
        if (where.transport == "tls") {
            judge(where, "a client is known by its certificate, and needs one",
                  known_by_certificate);
        }
    }

    std::deque<paho_client> last;
    std::vector<place> last_places;
    for (const place& where : places) {
        if (where.transport != "wss" && (where.transport != "ws" || where.v5)) {
            last_places.push_back(where);  // one WebSocket in a process
            last.emplace_back(where).open();
        }
    }
    restless.reset();
    ask("stop");
    for (std::size_t index = 0; index < last_places.size(); ++index) {
        judge(last_places[index], "SIGTERM ends the connection as it should",
              [&](const place& where) {
                  const int code = last[index].ended("SIGTERM");
                  expect("SIGTERM", where.v5 ? 0x8B : 0, code);
              });
    }
}

}  // namespace
}  // namespace fleetarium::judges

int main(int count, char** words) {
    using namespace fleetarium::judges;
    try {
        MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
        options.do_openssl_init = 1;
        MQTTAsync_global_init(&options);
        run(settings(count, words));
    } catch (const std::exception& problem) {
        std::cout << "gave up: " << problem.what() << std::endl;
        return 1;
    }
    std::cout << "finished" << std::endl;
    return 0;
}
