#include "judge_program.hpp"

#include <MQTTClient.h>

#include <algorithm>

// Paho's synchronous C client judges a broker: every call of it waits for the broker's answer.
// judging/programs.py starts it.

namespace fleetarium::judges {
namespace {

constexpr unsigned long deadline_ms = 30'000;

struct setup {
    std::string url{};  ///< empty: the place's
    std::string client_id{};
    bool keep = false;
    std::string will_topic{};  ///< empty: no will
    std::string user_name{};
    std::string password{};
};

class sync_client {
public:
    explicit sync_client(const place& where, const setup& chosen = {})
        : where_(where), chosen_(chosen) {
        MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
        options.MQTTVersion = where.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
        const std::string url = chosen.url.empty() ? where.url() : chosen.url;
        check("MQTTClient_create",
              MQTTClient_createWithOptions(&handle_, url.c_str(), chosen_.client_id.c_str(),
                                           MQTTCLIENT_PERSISTENCE_NONE, nullptr, &options));
        MQTTClient_setCommandTimeout(handle_, deadline_ms);
    }
    sync_client(const sync_client&) = delete;
    sync_client& operator=(const sync_client&) = delete;
    ~sync_client() { MQTTClient_destroy(&handle_); }

    /// Whether the session was there, as far as Paho tells: not in 5.0. Throws `wrong` if CONNACK
    /// has another code.
    bool open(int code = 0) {
        MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
        MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
        MQTTClient_connectOptions& used = where_.v5 ? options5 : options;
        MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
        MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
        used.MQTTVersion = where_.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
        used.keepAliveInterval = 30;
        used.reliable = 0;
        used.connectTimeout = static_cast<int>(deadline.count());
        (where_.v5 ? used.cleanstart : used.cleansession) = !chosen_.keep;
        if (!chosen_.will_topic.empty()) {
            will.topicName = chosen_.will_topic.c_str();
            will.message = "gone";
            will.qos = 1;
            used.will = &will;
        }
        if (!chosen_.user_name.empty()) {
            used.username = chosen_.user_name.c_str();
            used.password = chosen_.password.c_str();
        }
        if (where_.secure()) {
            tls.trustStore = where_.given["ca"].c_str();
            tls.verify = 1;
            used.ssl = &tls;
        }
        if (!where_.v5) {
            expect("CONNECT", code, MQTTClient_connect(handle_, &used));
            return used.returned.sessionPresent != 0;
        }
        MQTTProperties properties = MQTTProperties_initializer;
        MQTTProperties will_properties = MQTTProperties_initializer;
        MQTTProperty expiry{};
        expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
        expiry.value.integer4 = 1000;
        if (chosen_.keep) {
            MQTTProperties_add(&properties, &expiry);
        }
        const MQTTResponse answer =
            MQTTClient_connect5(handle_, &used, &properties, &will_properties);
        MQTTProperties_free(&properties);
        const int got = answer.reasonCode;
        MQTTResponse_free(answer);
        expect("CONNECT", code, got);
        return used.returned.sessionPresent != 0;
    }

    int subscribe(const std::string& filter, int qos) {
        if (where_.v5) {
            const MQTTResponse answer =
                MQTTClient_subscribe5(handle_, filter.c_str(), qos, nullptr, nullptr);
            const int code = answer.reasonCode;
            MQTTResponse_free(answer);
            return code;
        }
        const int code = MQTTClient_subscribe(handle_, filter.c_str(), qos);
        return code == MQTTCLIENT_SUCCESS ? qos : code;  // it tells no more
    }

    void publish(const std::string& topic, const std::string& payload, int qos,
                 bool retained = false) {
        MQTTClient_deliveryToken token = 0;
        const int size = static_cast<int>(payload.size());
        if (where_.v5) {
            const MQTTResponse answer = MQTTClient_publish5(
                handle_, topic.c_str(), size, payload.data(), qos, retained, nullptr, &token);
            check("MQTTClient_publish5", answer.reasonCode);
            MQTTResponse_free(answer);
        } else {
            check("MQTTClient_publish", MQTTClient_publish(handle_, topic.c_str(), size,
                                                           payload.data(), qos, retained, &token));
        }
        if (qos > 0) {
            check("MQTTClient_waitForCompletion",
                  MQTTClient_waitForCompletion(handle_, token, deadline_ms));
        }
    }

    /// The next message as "topic payload qos [retained]", a long payload by its length.
    std::string receive(const std::string& sent) {
        char* topic = nullptr;
        int size = 0;
        MQTTClient_message* arrived = nullptr;
        const int code = MQTTClient_receive(handle_, &topic, &size, &arrived, deadline_ms);
        if (arrived == nullptr) {
            throw wrong("sent:     " + sent + "\nexpected: a message within 30 s\ngot:      code " +
                        std::to_string(code));
        }
        const std::string payload(static_cast<const char*>(arrived->payload),
                                  static_cast<std::size_t>(arrived->payloadlen));
        const bool uniform =
            std::all_of(payload.begin(), payload.end(), [&](char c) { return c == payload[0]; });
        std::string brief = topic +
                            (' ' + (payload.size() > 100 && uniform
                                        ? std::to_string(payload.size()) + " times " + payload[0]
                                        : payload)) +
                            ' ' + std::to_string(arrived->qos) +
                            (arrived->retained != 0 ? " retained" : "");
        MQTTClient_freeMessage(&arrived);
        MQTTClient_free(topic);
        return brief;
    }

    void disconnect() {
        const auto limit = static_cast<int>(deadline_ms);
        check("DISCONNECT",
              where_.v5 ? MQTTClient_disconnect5(handle_, limit, MQTTREASONCODE_SUCCESS, nullptr)
                        : MQTTClient_disconnect(handle_, limit));
    }

private:
    static void check(const std::string& what, int code) {
        expect(what, static_cast<int>(MQTTCLIENT_SUCCESS), code);
    }

    place where_;
    setup chosen_;
    MQTTClient handle_ = nullptr;
};

void every_qos(const place& where) {
    sync_client client(where);
    client.open();
    const std::string topic = where.named("sync");
    for (int qos = 0; qos <= 2; ++qos) {
        expect("SUBSCRIBE", qos, client.subscribe(topic + std::to_string(qos), qos));
    }
    for (int allowed = 0; allowed <= 2; ++allowed) {
        for (int qos = 0; qos <= 2; ++qos) {
            const std::string name = topic + std::to_string(allowed);
            client.publish(name, "x", qos);
            expect("PUBLISH at QoS " + std::to_string(qos),
                   name + " x " + std::to_string(std::min(qos, allowed)),
                   client.receive("PUBLISH"));
        }
    }
    client.publish(topic + '2', std::string(1 << 20, 'y'), 2);
    expect("one MiB", topic + "2 1048576 times y 2", client.receive("PUBLISH"));
    client.disconnect();
}

void retained_and_kept(const place& where) {
    const std::string topic = where.named("sync-kept");
    setup chosen;
    chosen.client_id = topic;
    chosen.keep = true;
    sync_client sender(where.other());
    sender.open();
    sender.publish(topic, "first", 1, true);
    {
        sync_client client(where, chosen);
        expect("CONNECT of a new session: session present", false, client.open());
        client.subscribe(topic, 1);
        expect("SUBSCRIBE", topic + " first 1 retained", client.receive("SUBSCRIBE"));
        client.disconnect();
    }
    sender.publish(topic, "second", 1, true);
    sender.publish(topic, "", 1, true);
    sync_client client(where, chosen);
    const bool present = client.open();
    if (!where.v5) {
        expect("CONNECT of a kept session: session present", true, present);
    }
    expect("two messages while away", topic + " second 1", client.receive("CONNECT"));
    expect("two messages while away", topic + "  1", client.receive("CONNECT"));
    client.disconnect();
    chosen.keep = false;
    sync_client last(where, chosen);
    expect("CONNECT with clean start: session present", false, last.open());
}

void will(const place& where) {
    const std::string topic = where.named("sync-will");
    sync_client receiver(where.other());
    receiver.open();
    receiver.subscribe(topic, 2);
    setup chosen;
    chosen.url = where.relayed_url();
    chosen.will_topic = topic;
    sync_client lost(where, chosen);
    lost.open();
    ask("cut " + where.transport);
    expect("a client that is cut off", topic + " gone 1", receiver.receive("its will"));
}

void refused(const place& where) {
    setup chosen;
    chosen.url = where.given["guarded"];
    chosen.user_name = where.given["user"];
    chosen.password = "wrong";
    sync_client(where, chosen).open(where.v5 ? 0x86 : 4);
    chosen.password = where.given["password"];
    sync_client client(where, chosen);
    client.open();
    expect("SUBSCRIBE to what is denied", where.v5 ? 0x87 : 0x80, client.subscribe("secret/#", 1));
}

void run(const settings& given) {
    std::vector<place> places;
    for (const std::string transport : {"tcp", "tls", "ws", "wss"}) {
        if (given.has(transport)) {
            places.push_back({given, transport, false});
            places.push_back({given, transport, true});
        }
    }
    for (const place& where : places) {
        judge(where, "synchronous: each QoS, and one MiB", every_qos);
        judge(where, "synchronous: a retained message, and a kept session", retained_and_kept);
        judge(where, "synchronous: a lost client's will", will);
        if (where.transport == "tcp") {
            judge(where, "synchronous: a wrong password and a denied topic", refused);
        }
    }
}

}  // namespace
}  // namespace fleetarium::judges

int main(int count, char** words) {
    using namespace fleetarium::judges;
    try {
        MQTTClient_init_options options = MQTTClient_init_options_initializer;
        options.do_openssl_init = 1;
        MQTTClient_global_init(&options);
        run(settings(count, words));
    } catch (const std::exception& problem) {
        std::cout << "gave up: " << problem.what() << std::endl;
        return 1;
    }
    std::cout << "finished" << std::endl;
    return 0;
}
