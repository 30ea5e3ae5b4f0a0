#include "client_flags.hpp"
#include "commands.hpp"
#include "input_lines.hpp"

#include <fleetarium/client/client.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli {

namespace {

namespace asio = boost::asio;
using asio::awaitable;

/// Messages that are published, and of those that cannot be sent at once, before they are waited
/// for.
constexpr std::size_t under_way_max = 1000;
constexpr std::size_t queued_max = 16;
constexpr std::size_t queue_bytes_max = std::size_t{queued_max} * limits::packet_size_max;

struct pub_flags {
    client_flags client;
    std::string topic;
    std::optional<std::string> message;
    std::string file;
    bool empty = false;
    bool whole_stdin = false;
    bool stdin_lines = false;
    std::string level = "0";
    bool retain = false;
    std::uint64_t repeat = 1;
    std::string interval = "0s";
    std::string content_type;
    std::string response_topic;
    std::string correlation_data;
    std::string expiry;
    std::vector<std::string> user_properties;
};

publish_options options_of(const pub_flags& flags) {
    publish_options options(qos_of(flags.level));
    options.retain(flags.retain);
    if (!flags.content_type.empty()) {
        options.content_type(flags.content_type);
    }
    if (!flags.response_topic.empty()) {
        options.response_topic(flags.response_topic);
    }
    if (!flags.correlation_data.empty()) {
        options.correlation_data(flags.correlation_data);
    }
    if (!flags.expiry.empty()) {
        options.expiry(duration_of(flags.expiry));
    }
    for (const std::string& pair : flags.user_properties) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos) {
            throw std::invalid_argument("found the user property \"" + pair +
                                        "\", expected NAME=VALUE");
        }
        options.user_property(pair.substr(0, equals), pair.substr(equals + 1));
    }
    if (options.has_properties() && flags.client.version != "5") {
        throw std::invalid_argument(
            "content type, response topic, correlation data, expiry and "
            "user properties are part of MQTT 5, not of 3.1.1");
    }
    return options;
}

std::string read_all(std::istream& from) {
    return {std::istreambuf_iterator<char>(from), std::istreambuf_iterator<char>()};
}

std::string payload_of(const pub_flags& flags) {
    if (flags.message) {
        return *flags.message;
    }
    if (flags.whole_stdin) {
        return read_all(std::cin);
    }
    if (flags.empty || flags.stdin_lines) {
        return {};
    }
    std::ifstream file(flags.file, std::ios::binary);
    std::string payload = file ? read_all(file) : std::string();
    if (!file) {
        throw std::invalid_argument("the file \"" + flags.file + "\" cannot be read");
    }
    return payload;
}

/// One run: publishes all and counts what failed.
class publication {
public:
    publication(client& by, const pub_flags& flags, publish_options options, std::string payload)
        : client_(by), flags_(flags), options_(std::move(options)), payload_(std::move(payload)) {}

    awaitable<void> run() {
        co_await client_.async_connect();
        if (flags_.stdin_lines) {
            input_lines lines(client_.get_executor());
            while (auto line = co_await lines.next()) {
                co_await repeat(*line);
            }
        } else {
            co_await repeat(payload_);
        }
        co_await client_.async_flush();
        co_await client_.async_disconnect();
    }

    bool succeeded() const { return failed_ == 0; }

private:
    awaitable<void> repeat(std::string_view payload) {
        const duration interval = duration_of(flags_.interval);
        for (std::uint64_t i = 0; i < flags_.repeat; ++i) {
            if (interval > duration::zero() && published_ > 0) {
                co_await client_.async_wait_for(interval);
            }
            if (++published_ % under_way_max == 0 || client_.queued() >= queued_max) {
                co_await client_.async_flush();
            }
            client_.async_publish(flags_.topic, payload, options_,
                                  [this](boost::system::error_code why, reason_code) {
                                      if (why) {
                                          fail(why);
                                      }
                                  });
        }
    }

    void fail(boost::system::error_code why) {
        if (++failed_ == 1) {
            complain("pub",
                     "a message on \"" + flags_.topic + "\" was not published: " + why.message());
        }
    }

    client& client_;
    const pub_flags& flags_;
    const publish_options options_;
    const std::string payload_;
    std::uint64_t published_ = 0;
    std::uint64_t failed_ = 0;
};

int pub(const pub_flags& flags) {
    if (!is_valid_topic_name(flags.topic)) {
        complain("pub", "found the topic \"" + flags.topic +
                            "\", expected a name without wildcards (# and +) and not empty");
        return exit_bad_input;
    }
    asio::io_context context;
    real_environment network(context);
    std::optional<client> connection;
    std::optional<publication> all;
    try {
        publish_options options = options_of(flags);
        client_config config = config_of(flags.client, "pub");
        config.queue(publish_queue_options().bytes(queue_bytes_max));
        connection.emplace(network, std::move(config));
        all.emplace(*connection, flags, std::move(options), payload_of(flags));
    } catch (const std::exception& wrong) {
        complain("pub", wrong.what());
        return exit_bad_input;
    }
    int status = exit_success;
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code why, int) {
        if (!why) {
            connection->async_disconnect([&](boost::system::error_code) { context.stop(); });
            status = exit_not_carried_out;
        }
    });
    asio::co_spawn(context, all->run(), [&](std::exception_ptr thrown) {
        signals.cancel();
        try {
            if (thrown) {
                std::rethrow_exception(thrown);
            }
        } catch (const boost::system::system_error& failed) {
            if (status == exit_success) {
                complain("pub", net::to_string(connection->config().urls().front()) + ": " +
                                    failed.code().message());
            }
            status = exit_not_carried_out;
        }
        context.stop();
    });
    context.run();
    return status == exit_success && !all->succeeded() ? exit_not_carried_out : status;
}

}  // namespace

void add_pub(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<pub_flags>();
    CLI::App* const command = app.add_subcommand("pub", "Publish messages to any broker");
    add_client_flags(*command, flags->client);
    command->add_option("-t,--topic", flags->topic, "Topic")->required()->type_name("TOPIC");
    CLI::Option_group* const what =
        command->add_option_group("payload", "What to publish; one of these");
    what->add_option("-m,--message", flags->message, "This text")->type_name("TEXT");
    what->add_option("-f,--file", flags->file, "The bytes of a file")->type_name("FILE");
    what->add_flag("-n,--empty", flags->empty,
                   "Nothing; with --retain this removes the retained message");
    what->add_flag("-s,--stdin", flags->whole_stdin, "The bytes of standard input");
    what->add_flag("-l,--stdin-lines", flags->stdin_lines,
                   "Each line of standard input, a message each");
    what->require_option(1);
    command->add_option("-q,--qos", flags->level, "Quality of service")
        ->check(CLI::IsMember({"0", "1", "2"}))
        ->capture_default_str();
    command->add_flag("-r,--retain", flags->retain, "The broker keeps it for subscribers to come");
    command->add_option("--repeat", flags->repeat, "Publish each message so many times")
        ->check(CLI::PositiveNumber)
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--interval", flags->interval, "Wait between messages")
        ->check(check_duration_flag)
        ->type_name("DURATION")
        ->capture_default_str();
    command->add_option("--content-type", flags->content_type, "MIME type")->type_name("TYPE");
    command->add_option("--response-topic", flags->response_topic, "Where to answer")
        ->type_name("TOPIC");
    command
        ->add_option("--correlation-data", flags->correlation_data, "To be repeated in the answer")
        ->type_name("TEXT");
    command->add_option("--expiry", flags->expiry, "Not to be delivered after this time")
        ->check(check_duration_flag)
        ->type_name("DURATION");
    command->add_option("--user-property", flags->user_properties, "May be given several times")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    command->callback([flags, &exit_status] { exit_status = pub(*flags); });
}

}  // namespace fleetarium::cli
