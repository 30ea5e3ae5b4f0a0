#include "commands.hpp"

#include <fleetarium/net/test_certificates.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace fleetarium::cli {

namespace {

struct certs_options {
    std::string out;
    std::uint64_t seed = 1;
    std::vector<std::string> server_names = net::test_certificate_authority::default_server_names();
    std::uint32_t devices = 0;
    std::vector<std::string> device_names;
    bool expired = false;
};

std::string numbered_device(std::uint32_t number) { return "device-" + std::to_string(number); }

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

/// A device's name names its files too.
void check_file_name(const std::string& name) {
    if (name.find('/') != std::string::npos || name == "." || name == "..") {
        throw std::invalid_argument(
            "--device " + name + ": the name is that of its files too; expected none with \"/\"");
    }
    if (name == "ca" || name == "server") {
        throw std::invalid_argument("--device " + name + ": " + name +
                                    ".pem is another certificate; expected another name");
    }
}

/// Files of different authorities in a folder do not go together.
void check_authority(const std::string& path, const std::string& certificate) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return;
    }
    std::ostringstream present;
    present << file.rdbuf();
    if (present.str() != certificate) {
        throw std::invalid_argument("\"" + path +
                                    "\" is there already and is another authority, from another "
                                    "--seed perhaps; choose another folder with --out, or remove "
                                    "it first");
    }
}

void make_folder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
        throw std::invalid_argument("the folder \"" + path +
                                    "\" cannot be made: " + error.message());
    }
}

void print_made(const certs_options& options) {
    const std::string at = options.out + "/";
    std::cout << at << "ca.pem: the authority of seed " << options.seed
              << ", which brokers and clients are to trust\n"
              << at << "server.pem, server.key: for " << joined(options.server_names) << '\n';
    for (const std::string& name : options.device_names) {
        std::cout << at << name << ".pem, " << name << ".key: a client named " << name << '\n';
    }
    if (options.devices != 0) {
        const std::string last = numbered_device(options.devices);
        std::cout << at << "device-1.pem, device-1.key"
                  << (options.devices > 1 ? " to " + last + ".pem, " + last + ".key" : "") << ": "
                  << options.devices
                  << (options.devices > 1 ? " clients named so" : " client named so") << '\n';
    }
    if (options.expired) {
        std::cout
            << "All but the authority's have expired: brokers and clients must refuse them.\n";
    }
}

void print_use(const certs_options& options) {
    const std::string at = options.out + "/";
    std::string device;
    if (!options.device_names.empty()) {
        device = options.device_names.front();
    } else if (options.devices != 0) {
        device = numbered_device(1);
    }
    std::cout << "\nTo use them:\n"
              << "  fleetarium broker --listen mqtts://"
              << (options.server_names.front() == "localhost" ? "localhost" : "") << ":8883 --cert "
              << at << "server.pem --key " << at << "server.key"
              << (device.empty() ? "" : " --ca " + at + "ca.pem") << '\n'
              << "  mosquitto_pub -h " << options.server_names.front() << " -p 8883 --cafile " << at
              << "ca.pem"
              << (device.empty() ? ""
                                 : " --cert " + at + device + ".pem --key " + at + device + ".key")
              << " -t hello -m world\n"
              << "Whoever knows the seed has the keys: for tests only.\n";
}

int make_certificates(const certs_options& options) {
    try {
        const net::test_certificate_authority authority(options.seed);
        const net::certificate_validity validity =
            options.expired ? net::certificate_validity::expired() : net::certificate_validity{};
        const auto server = authority.server(options.server_names, validity);
        for (const std::string& name : options.device_names) {
            check_file_name(name);
            (void)authority.device(name, validity);  // a bad name, before anything is written
        }
        const std::string at = options.out + "/";
        check_authority(at + "ca.pem", authority.certificate());
        make_folder(options.out);
        net::write_certificate(authority.certificate(), at + "ca.pem");
        net::write_files(server, at + "server");
        for (const std::string& name : options.device_names) {
            net::write_files(authority.device(name, validity), at + name);
        }
        for (std::uint32_t number = 1; number <= options.devices; ++number) {
            const std::string name = numbered_device(number);
            net::write_files(authority.device(name, validity), at + name);
        }
    } catch (const std::runtime_error& error) {
        std::cerr << "fleetarium certs: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const std::invalid_argument& error) {
        std::cerr << "fleetarium certs: " << error.what() << '\n';
        return exit_bad_input;
    }
    print_made(options);
    print_use(options);
    return exit_success;
}

}  // namespace

void add_certs(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<certs_options>();
    CLI::App* const command = app.add_subcommand(
        "certs", "Make certificates for tests: an authority, a server and any number of devices");
    command->add_option("--out", options->out, "The folder to write to; made if it is not there")
        ->required()
        ->type_name("DIR");
    command->add_option("--seed", options->seed, "All keys follow from it; default 1")
        ->type_name("N");
    command
        ->add_option("--server", options->server_names,
                     "A host name or address that the server is reached by; repeat for more. "
                     "Default: localhost, 127.0.0.1 and ::1")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command->add_option("--devices", options->devices, "Make certificates for device-1 to device-N")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000));
    command
        ->add_option("--device", options->device_names,
                     "Make a certificate for this device, whose name is the Common Name; repeat "
                     "for more")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command->add_flag("--expired", options->expired,
                      "Make the server's and the devices' such that have expired, to see them "
                      "refused");
    command->callback([options, &exit_status] { exit_status = make_certificates(*options); });
}

}  // namespace fleetarium::cli
