#pragma once

#include "judge_program.hpp"

#include <MQTTAsync.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

/// Paho's asynchronous C client, with what its callbacks told.
namespace fleetarium::judges {

/// MQTTProperties that are freed.
class property_list {
public:
    property_list() = default;
    explicit property_list(const MQTTProperties& from) : list_(MQTTProperties_copy(&from)) {}
    property_list(const property_list& other) : list_(MQTTProperties_copy(&other.list_)) {}
    property_list& operator=(property_list other) {
        std::swap(list_, other.list_);
        return *this;
    }
    ~property_list() { MQTTProperties_free(&list_); }

    property_list& add(MQTTPropertyCodes code, unsigned value);
    property_list& add(MQTTPropertyCodes code, const std::string& value);
    property_list& add_pair(const std::string& name, const std::string& value);

    const MQTTProperties& raw() const { return list_; }
    MQTTProperties* get() { return &list_; }

    bool has(MQTTPropertyCodes code) const {
        return MQTTProperties_hasProperty(const_cast<MQTTProperties*>(&list_), code) != 0;
    }
    int number(MQTTPropertyCodes code) const {
        return MQTTProperties_getNumericValue(const_cast<MQTTProperties*>(&list_), code);
    }
    std::string text(MQTTPropertyCodes code) const;
    std::vector<std::string> pairs() const;  ///< "name=value" of each user property, in order

private:
    MQTTProperties list_ = MQTTProperties_initializer;
};

struct message {
    std::string topic;
    std::string payload;
    int qos = 0;
    bool retained = false;
    property_list properties{};

    /// "topic payload qos [retained]", a long payload by its length.
    std::string brief() const {
        return topic + ' ' +
               (payload.size() > 100 ? std::to_string(payload.size()) + " bytes" : payload) + ' ' +
               std::to_string(qos) + (retained ? " retained" : "");
    }
};

struct client_setup {
    std::string url{};  ///< empty: the place's
    std::string client_id{};
    bool keep = false;  ///< the session, on both sides
    const message* will = nullptr;
    std::string user_name{};
    std::string password{};
    bool certificate = false;
};

/// What a request came to.
struct outcome {
    bool done = false;
    int code = 0;  ///< reason code, return code or, below 0, Paho's own
    std::vector<int> codes{};
    bool session_present = false;
    property_list properties{};
};

/// A client. Every call waits for its answer, and throws `wrong` if none comes.
class paho_client {
public:
    explicit paho_client(const place& where, const client_setup& setup = {});
    paho_client(const paho_client&) = delete;
    paho_client& operator=(const paho_client&) = delete;
    ~paho_client();

    /// Connects; throws `wrong` if the answer has another code.
    const outcome& open(int code = 0);
    std::vector<int> subscribe(const std::vector<std::string>& filters, int qos = 2,
                               MQTTSubscribe_options options = MQTTSubscribe_options_initializer,
                               const property_list& properties = {});
    std::vector<int> unsubscribe(const std::vector<std::string>& filters);
    /// The code of the acknowledgement.
    int publish(const message& sent);
    /// Does not wait.
    void send(const message& sent);
    /// Waits until at most `left` of what was sent are without their acknowledgement.
    void flush(std::size_t left);
    void disconnect();

    /// The first `count` messages that arrived.
    std::vector<message> received(std::size_t count, const std::string& sent,
                                  std::chrono::seconds limit = deadline);
    std::vector<std::string> briefs(std::size_t count, const std::string& sent);
    /// Waits until the broker ends the connection; the reason code, 0 without one.
    int ended(const std::string& sent);

private:
    enum class kind { connect, subscribe, unsubscribe, other };
    struct request {
        paho_client* owner;
        kind what;
        std::size_t count;  ///< of filters
        outcome result{};
    };

    MQTTAsync_responseOptions options_for(request& made) const;
    request& new_request(kind what, std::size_t count = 0);
    const outcome& finished(request& made, const std::string& sent);
    void start(int code, const std::string& what) const;
    static void settle(void* context, const std::function<void(const request&, outcome&)>& fill);
    static void succeeded(void* context, MQTTAsync_successData* data);
    static void succeeded5(void* context, MQTTAsync_successData5* data);
    static void failed(void* context, MQTTAsync_failureData* data);
    static void failed5(void* context, MQTTAsync_failureData5* data);
    std::string state() const;

    place where_;
    client_setup setup_;
    MQTTAsync handle_ = nullptr;
    watch watch_;
    std::deque<request> requests_;
    std::vector<message> messages_;
    std::size_t unanswered_ = 0;
    bool ended_ = false;
    int end_code_ = 0;
};

}  // namespace fleetarium::judges
