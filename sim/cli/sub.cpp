#include "client_flags.hpp"
#include "commands.hpp"

#include <fleetarium/client/client.hpp>
#include <fleetarium/codec/topic.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include <openssl/evp.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::cli {

namespace {

namespace asio = boost::asio;
using asio::awaitable;

struct sub_flags {
    client_flags client;
    std::vector<std::string> filters;
    std::string level = "0";
    bool topics = false;
    bool json = false;
    bool no_retained = false;
    bool no_local = false;
    std::uint64_t count = 0;
    std::string wait;
};

std::string base64(bytes_view bytes) {
    std::string made(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(made.data()), bytes.data(),
                                     static_cast<int>(bytes.size()));
    made.resize(static_cast<std::size_t>(size));
    return made;
}

/// Text as it is, other bytes under the name with "_base64".
void put(nlohmann::ordered_json& into, const std::string& name, bytes_view bytes) {
    const std::string_view text = as_text(bytes);
    if (is_valid_string(text)) {
        into[name] = text;
    } else {
        into[name + "_base64"] = base64(bytes);
    }
}

std::string as_json(const received_message& message) {
    nlohmann::ordered_json out;
    out["topic"] = message.topic();
    put(out, "payload", message.payload());
    out["qos"] = static_cast<int>(message.qos());
    out["retain"] = message.retain();
    if (message.dup()) {
        out["dup"] = true;
    }
    if (message.message_expiry_interval()) {
        out["message_expiry_interval"] = *message.message_expiry_interval();
    }
    if (message.utf8()) {
        out["payload_format_indicator"] = 1;
    }
    if (message.content_type()) {
        out["content_type"] = *message.content_type();
    }
    if (message.response_topic()) {
        out["response_topic"] = *message.response_topic();
    }
    if (message.correlation_data()) {
        put(out, "correlation_data", *message.correlation_data());
    }
    for (const auto& [name, value] : message.user_properties()) {
        out["user_properties"].push_back({name, value});
    }
    return out.dump();
}

/// One run: subscribes, and prints what comes until it is enough.
class printer {
public:
    printer(client& by, const sub_flags& flags) : client_(by), flags_(flags) {}

    awaitable<void> run() {
        using namespace asio::experimental::awaitable_operators;
        subscribe_options options(qos_of(flags_.level));
        options.no_local(flags_.no_local).buffer(buffer_messages, overflow::pause_reading);
        if (flags_.no_retained) {
            options.retained(retain_handling::do_not_send);
        }
        // Before the connection, so that nothing is missed of a session that was kept.
        auto made = client_.subscribe(flags_.filters, options);
        if (!made) {
            throw boost::system::system_error(made.error());
        }
        stream_ = std::move(*made);
        co_await client_.async_connect();
        // At the same time: an answer may come behind more messages than the stream holds.
        if (flags_.wait.empty()) {
            co_await (check_answers() && print());
        } else {
            co_await ((check_answers() && print()) ||
                      client_.async_wait_for(duration_of(flags_.wait)));
        }
        co_await client_.async_disconnect();
    }

    int status() const {
        if (refused_) {
            return exit_not_carried_out;
        }
        return printed_ < flags_.count ? exit_expectation_failed : exit_success;
    }

private:
    static constexpr std::size_t buffer_messages = 1000;

    awaitable<void> check_answers() {
        const auto codes = co_await stream_.async_answer();
        for (std::size_t i = 0; i < codes.size(); ++i) {
            if (is_failure(codes[i])) {
                refused_ = true;
                complain("sub", "the subscription to \"" + flags_.filters[i] +
                                    "\" was refused: " + make_error_code(codes[i]).message());
            }
        }
    }

    awaitable<void> print() {
        while (flags_.count == 0 || printed_ < flags_.count) {
            if (stream_.buffered() == 0) {
                std::fflush(stdout);
            }
            const received_message message = co_await stream_.async_receive();
            if (!print(message)) {
                co_return;  // nobody reads on
            }
            ++printed_;
        }
        std::fflush(stdout);
    }

    bool print(const received_message& message) const {
        std::string line;
        if (flags_.json) {
            line = as_json(message);
        } else {
            if (flags_.topics) {
                line.append(message.topic()).append(" ");
            }
            line.append(message.text());
        }
        line += '\n';
        return std::fwrite(line.data(), 1, line.size(), stdout) == line.size();
    }

    client& client_;
    const sub_flags& flags_;
    subscription stream_;
    std::uint64_t printed_ = 0;
    bool refused_ = false;
};

/// What is wrong with what is asked for; empty if nothing is.
std::string problem_of(const sub_flags& flags) {
    for (const std::string& filter : flags.filters) {
        if (is_shared_filter(filter) && !parse_shared_filter(filter)) {
            return "found the topic filter \"" + filter +
                   "\", expected $share/NAME/FILTER, the name without / + #";
        }
        if (!is_valid_topic_filter(filter)) {
            return "found the topic filter \"" + filter +
                   "\", expected levels apart by /, + for one whole level, # for all from here on, "
                   "last";
        }
    }
    if (flags.client.version != "5" && (flags.no_local || flags.no_retained)) {
        return "--no-local and --no-retained are part of MQTT 5, not of 3.1.1";
    }
    return {};
}

int sub(const sub_flags& flags) {
    if (const std::string problem = problem_of(flags); !problem.empty()) {
        complain("sub", problem);
        return exit_bad_input;
    }
    asio::io_context context;
    real_environment network(context);
    std::optional<client> connection;
    try {
        connection.emplace(network, config_of(flags.client, "sub"));
    } catch (const std::exception& wrong) {
        complain("sub", wrong.what());
        return exit_bad_input;
    }
    printer all(*connection, flags);
    int status = exit_success;
    bool interrupted = false;
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code why, int) {
        if (!why) {
            interrupted = true;
            connection->async_disconnect([](boost::system::error_code) {});
        }
    });
    asio::co_spawn(context, all.run(), [&](std::exception_ptr thrown) {
        signals.cancel();
        try {
            if (thrown) {
                std::rethrow_exception(thrown);
            }
            status = all.status();
        } catch (const boost::system::system_error& failed) {
            if (interrupted) {
                status = all.status();
                return;
            }
            complain("sub", net::to_string(connection->config().urls().front()) + ": " +
                                failed.code().message());
            status = exit_not_carried_out;
        }
    });
    context.run();
    std::fflush(stdout);
    return status;
}

}  // namespace

void add_sub(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<sub_flags>();
    CLI::App* const command =
        app.add_subcommand("sub", "Subscribe at any broker and print what comes");
    add_client_flags(*command, flags->client);
    command->add_option("-t,--topic", flags->filters, "Topic filter; may be given several times")
        ->required()
        ->type_name("FILTER")
        ->allow_extra_args(false);
    command->add_option("-q,--qos", flags->level, "Quality of service, at most")
        ->check(CLI::IsMember({"0", "1", "2"}))
        ->capture_default_str();
    command->add_flag("-v,--topics", flags->topics, "Print the topic before the payload");
    command->add_flag(
        "--json", flags->json,
        "Print a JSON object for each message, a line each: topic, payload (or "
        "payload_base64 where it is no UTF-8), qos, retain, and the properties it has");
    command->add_flag("--no-retained", flags->no_retained, "Not what was there before (MQTT 5)");
    command->add_flag("--no-local", flags->no_local,
                      "Not what the same client id publishes (MQTT 5)");
    command->add_option("-C,--count", flags->count, "End after so many messages")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    command
        ->add_option("-W,--wait", flags->wait,
                     "End after this time; exit status 1 if fewer than --count have come")
        ->check(check_duration_flag)
        ->type_name("DURATION");
    command->callback([flags, &exit_status] { exit_status = sub(*flags); });
}

}  // namespace fleetarium::cli
