#include "paho_c_client.hpp"

#include <algorithm>
#include <cstring>

namespace fleetarium::judges {

namespace {

MQTTLenString view_of(const std::string& text) {
    return {static_cast<int>(text.size()), const_cast<char*>(text.data())};
}

std::string text_of(const MQTTLenString& text) {
    return {text.data, static_cast<std::size_t>(text.len)};
}

void add_to(MQTTProperties& list, const MQTTProperty& property) {
    if (MQTTProperties_add(&list, &property) != 0) {
        throw std::runtime_error("Paho refuses a property");
    }
}

}  // namespace

// Properties

property_list& property_list::add(MQTTPropertyCodes code, unsigned value) {
    MQTTProperty property{};
    property.identifier = code;
    switch (MQTTProperty_getType(code)) {
        case MQTTPROPERTY_TYPE_BYTE: property.value.byte = static_cast<unsigned char>(value); break;
        case MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER:
            property.value.integer2 = static_cast<unsigned short>(value);
            break;
        default: property.value.integer4 = value;
    }
    add_to(list_, property);
    return *this;
}

property_list& property_list::add(MQTTPropertyCodes code, const std::string& value) {
    MQTTProperty property{};
    property.identifier = code;
    property.value.data = view_of(value);
    add_to(list_, property);
    return *this;
}

property_list& property_list::add_pair(const std::string& name, const std::string& value) {
    MQTTProperty property{};
    property.identifier = MQTTPROPERTY_CODE_USER_PROPERTY;
    property.value.data = view_of(name);
    property.value.value = view_of(value);
    add_to(list_, property);
    return *this;
}

std::string property_list::text(MQTTPropertyCodes code) const {
    const auto* found = MQTTProperties_getProperty(const_cast<MQTTProperties*>(&list_), code);
    return found == nullptr ? "" : text_of(found->value.data);
}

std::vector<std::string> property_list::pairs() const {
    std::vector<std::string> found;
    for (int index = 0; index < list_.count; ++index) {
        const MQTTProperty& each = list_.array[index];
        if (each.identifier == MQTTPROPERTY_CODE_USER_PROPERTY) {
            found.push_back(text_of(each.value.data) + '=' + text_of(each.value.value));
        }
    }
    return found;
}

// The client's life

paho_client::paho_client(const place& where, const client_setup& setup)
    : where_(where), setup_(setup) {
    if (setup_.url.empty()) {
        setup_.url = where.url();
    }
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = where.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    options.maxBufferedMessages = 100'000;
    start(MQTTAsync_createWithOptions(&handle_, setup_.url.c_str(), setup_.client_id.c_str(),
                                      MQTTCLIENT_PERSISTENCE_NONE, nullptr, &options),
          "MQTTAsync_createWithOptions");
    MQTTAsync_setCallbacks(
        handle_, this,
        [](void* context, char*) {
            auto& self = *static_cast<paho_client*>(context);
            self.watch_.change([&] { self.ended_ = true; });
        },
        [](void* context, char* topic, int size, MQTTAsync_message* arrived) {
            auto& self = *static_cast<paho_client*>(context);
            self.watch_.change([&] {
                self.messages_.push_back(
                    {size > 0 ? std::string(topic, static_cast<std::size_t>(size)) : topic,
                     std::string(static_cast<const char*>(arrived->payload),
                                 static_cast<std::size_t>(arrived->payloadlen)),
                     arrived->qos, arrived->retained != 0, property_list(arrived->properties)});
            });
            MQTTAsync_freeMessage(&arrived);
            MQTTAsync_free(topic);
            return 1;
        },
        nullptr);
    MQTTAsync_setDisconnected(handle_, this,
                              [](void* context, MQTTProperties*, MQTTReasonCodes code) {
                                  auto& self = *static_cast<paho_client*>(context);
                                  self.watch_.change([&] {
                                      self.ended_ = true;
                                      self.end_code_ = code;
                                  });
                              });
}

paho_client::~paho_client() { MQTTAsync_destroy(&handle_); }

const outcome& paho_client::open(int code) {
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions options5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions& used = where_.v5 ? options5 : options;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    property_list properties;
    property_list will_properties;
    used.MQTTVersion = where_.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    used.keepAliveInterval = 30;
    used.connectTimeout = static_cast<int>(deadline.count());
    if (where_.v5) {
        used.cleanstart = !setup_.keep;
        if (setup_.keep) {
            properties.add(MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, 1000);
        }
        used.connectProperties = properties.get();
    } else {
        used.cleansession = !setup_.keep;
    }
    if (setup_.will != nullptr) {
        will.topicName = setup_.will->topic.c_str();
        will.payload.len = static_cast<int>(setup_.will->payload.size());
        will.payload.data = setup_.will->payload.data();
        will.qos = setup_.will->qos;
        will.retained = setup_.will->retained;
        used.will = &will;
        if (where_.v5) {
            will_properties = setup_.will->properties;
            used.willProperties = will_properties.get();
        }
    }
    if (!setup_.user_name.empty()) {
        used.username = setup_.user_name.c_str();
        used.password = setup_.password.c_str();
    }
    if (where_.secure()) {
        tls.trustStore = where_.given["ca"].c_str();
        tls.verify = 1;
        tls.sslVersion = MQTT_SSL_VERSION_DEFAULT;
        if (setup_.certificate) {
            tls.keyStore = where_.given["cert"].c_str();
            tls.privateKey = where_.given["key"].c_str();
        }
        used.ssl = &tls;
    }
    request& made = new_request(kind::connect);
    used.context = &made;
    if (where_.v5) {
        used.onSuccess5 = succeeded5;
        used.onFailure5 = failed5;
    } else {
        used.onSuccess = succeeded;
        used.onFailure = failed;
    }
    start(MQTTAsync_connect(handle_, &used), "MQTTAsync_connect");
    const outcome& result = finished(made, "CONNECT");
    expect("CONNECT", code, result.code);
    return result;
}

void paho_client::disconnect() {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;
    MQTTAsync_disconnectOptions& used = where_.v5 ? options5 : options;
    request& made = new_request(kind::other);
    used.timeout = 1000;
    used.context = &made;
    if (where_.v5) {
        used.onSuccess5 = succeeded5;
        used.onFailure5 = failed5;
    } else {
        used.onSuccess = succeeded;
        used.onFailure = failed;
    }
    start(MQTTAsync_disconnect(handle_, &used), "MQTTAsync_disconnect");
    finished(made, "DISCONNECT");
}

// Requests

std::vector<int> paho_client::subscribe(const std::vector<std::string>& filters, int qos,
                                        MQTTSubscribe_options options,
                                        const property_list& properties) {
    request& made = new_request(kind::subscribe, filters.size());
    MQTTAsync_responseOptions response = options_for(made);
    std::vector<char*> topics;
    for (const std::string& filter : filters) {
        topics.push_back(const_cast<char*>(filter.c_str()));
    }
    const std::vector<int> levels(filters.size(), qos);
    std::vector<MQTTSubscribe_options> each_options(filters.size(), options);
    if (where_.v5) {
        response.subscribeOptions = options;  // Paho reads this for one filter
        response.subscribeOptionsList = each_options.data();
        response.subscribeOptionsCount = static_cast<int>(filters.size());
        response.properties = properties.raw();
    }
    start(MQTTAsync_subscribeMany(handle_, static_cast<int>(filters.size()), topics.data(),
                                  levels.data(), &response),
          "MQTTAsync_subscribeMany");
    return finished(made, "SUBSCRIBE " + shown(filters)).codes;
}

std::vector<int> paho_client::unsubscribe(const std::vector<std::string>& filters) {
    request& made = new_request(kind::unsubscribe, filters.size());
    MQTTAsync_responseOptions response = options_for(made);
    std::vector<char*> topics;
    for (const std::string& filter : filters) {
        topics.push_back(const_cast<char*>(filter.c_str()));
    }
    start(MQTTAsync_unsubscribeMany(handle_, static_cast<int>(filters.size()), topics.data(),
                                    &response),
          "MQTTAsync_unsubscribeMany");
    return finished(made, "UNSUBSCRIBE " + shown(filters)).codes;
}

int paho_client::publish(const message& sent) {
    request& made = new_request(kind::other);
    MQTTAsync_responseOptions response = options_for(made);
    MQTTAsync_message raw = MQTTAsync_message_initializer;
    raw.payload = const_cast<char*>(sent.payload.data());
    raw.payloadlen = static_cast<int>(sent.payload.size());
    raw.qos = sent.qos;
    raw.retained = sent.retained;
    raw.properties = sent.properties.raw();
    start(MQTTAsync_sendMessage(handle_, sent.topic.c_str(), &raw, &response),
          "MQTTAsync_sendMessage");
    return finished(made, "PUBLISH " + sent.brief()).code;
}

void paho_client::send(const message& sent) {
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = this;
    if (where_.v5) {
        response.onSuccess5 = [](void* context, MQTTAsync_successData5*) {
            auto& self = *static_cast<paho_client*>(context);
            self.watch_.change([&] { --self.unanswered_; });
        };
    } else {
        response.onSuccess = [](void* context, MQTTAsync_successData*) {
            auto& self = *static_cast<paho_client*>(context);
            self.watch_.change([&] { --self.unanswered_; });
        };
    }
    watch_.change([&] { ++unanswered_; });
    MQTTAsync_message raw = MQTTAsync_message_initializer;
    raw.payload = const_cast<char*>(sent.payload.data());
    raw.payloadlen = static_cast<int>(sent.payload.size());
    raw.qos = sent.qos;
    raw.retained = sent.retained;
    start(MQTTAsync_sendMessage(handle_, sent.topic.c_str(), &raw, &response),
          "MQTTAsync_sendMessage");
}

void paho_client::flush(std::size_t left) {
    watch_.wait(
        "messages", "an acknowledgement of each", [&] { return unanswered_ <= left; },
        [&] { return std::to_string(unanswered_) + " without one; " + state(); },
        std::chrono::seconds{60});
}

// What arrived

std::vector<message> paho_client::received(std::size_t count, const std::string& sent,
                                           std::chrono::seconds limit) {
    watch_.wait(
        sent, std::to_string(count) + " messages", [&] { return messages_.size() >= count; },
        [&] { return state(); }, limit);
    std::vector<message> found;
    watch_.change([&] {
        found.assign(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(count));
    });
    return found;
}

std::vector<std::string> paho_client::briefs(std::size_t count, const std::string& sent) {
    std::vector<std::string> found;
    for (const message& each : received(count, sent)) {
        found.push_back(each.brief());
    }
    return found;
}

int paho_client::ended(const std::string& sent) {
    watch_.wait(
        sent, "the end of the connection", [&] { return ended_; }, [&] { return state(); });
    return end_code_;
}

// Callbacks

std::string paho_client::state() const {
    std::string text = std::to_string(messages_.size()) + " messages";
    if (!messages_.empty()) {
        text += ", the last \"" + messages_.back().brief() + '"';
    }
    return text + (ended_ ? ", ended with code " + std::to_string(end_code_) : "");
}

paho_client::request& paho_client::new_request(kind what, std::size_t count) {
    requests_.push_back({this, what, count});
    return requests_.back();
}

MQTTAsync_responseOptions paho_client::options_for(request& made) const {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = &made;
    if (where_.v5) {
        options.onSuccess5 = succeeded5;
        options.onFailure5 = failed5;
    } else {
        options.onSuccess = succeeded;
        options.onFailure = failed;
    }
    return options;
}

const outcome& paho_client::finished(request& made, const std::string& sent) {
    watch_.wait(
        sent, "its acknowledgement", [&] { return made.result.done; }, [&] { return state(); });
    return made.result;
}

void paho_client::start(int code, const std::string& what) const {
    if (code != MQTTASYNC_SUCCESS) {
        const char* const text = MQTTAsync_strerror(code);
        throw std::runtime_error(what + " fails: " + std::to_string(code) + ' ' +
                                 (text == nullptr ? "" : text));
    }
}

void paho_client::settle(void* context, const std::function<void(const request&, outcome&)>& fill) {
    auto& made = *static_cast<request*>(context);
    made.owner->watch_.change([&] {
        fill(made, made.result);
        made.result.done = true;
    });
}

void paho_client::succeeded(void* context, MQTTAsync_successData* data) {
    settle(context, [&](const request& made, outcome& result) {
        if (made.what == kind::connect) {
            result.session_present = data->alt.connect.sessionPresent != 0;
        } else if (made.what == kind::subscribe && made.count == 1) {
            result.codes.push_back(data->alt.qos);
        } else if (made.what == kind::subscribe) {
            result.codes.assign(data->alt.qosList, data->alt.qosList + made.count);
        }
    });
}

void paho_client::succeeded5(void* context, MQTTAsync_successData5* data) {
    settle(context, [&](const request& made, outcome& result) {
        if (data == nullptr) {
            return;
        }
        result.code = data->reasonCode;
        result.properties = property_list(data->properties);
        if (made.what == kind::connect) {
            result.session_present = data->alt.connect.sessionPresent != 0;
        } else if (made.count == 1) {
            result.codes.push_back(data->reasonCode);
        } else if (made.what == kind::subscribe) {
            const auto& codes = data->alt.sub;
            result.codes.assign(codes.reasonCodes, codes.reasonCodes + codes.reasonCodeCount);
        } else if (made.what == kind::unsubscribe) {
            const auto& codes = data->alt.unsub;
            result.codes.assign(codes.reasonCodes, codes.reasonCodes + codes.reasonCodeCount);
        }
    });
}

void paho_client::failed(void* context, MQTTAsync_failureData* data) {
    settle(context, [&](const request& made, outcome& result) {
        result.code = data == nullptr ? -1 : data->code;
        result.codes.assign(made.count, result.code);
    });
}

void paho_client::failed5(void* context, MQTTAsync_failureData5* data) {
    settle(context, [&](const request& made, outcome& result) {
        result.code = data->reasonCode != 0 ? static_cast<int>(data->reasonCode) : data->code;
        result.properties = property_list(data->properties);
        result.codes.assign(made.count, result.code);
    });
}

}  // namespace fleetarium::judges
