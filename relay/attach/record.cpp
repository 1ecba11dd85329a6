#include "relay/attach/record.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

namespace millrace::attach {
namespace {

namespace json = boost::json;

constexpr int version = 1;

std::string_view word(Change::Where where) {
    switch (where) {
        case Change::Where::service:
            return "service";
        case Change::Where::option:
            return "option";
        case Change::Where::main:
            break;
    }
    return "main";
}

Change::Where where_of(std::string_view text) {
    for (auto const where : {Change::Where::main, Change::Where::service, Change::Where::option}) {
        if (text == word(where)) {
            return where;
        }
    }
    throw std::runtime_error("a change of no known kind");
}

Record::Step step_of(std::string_view text) {
    for (auto const step :
         {Record::Step::listening, Record::Step::enforcing, Record::Step::detached}) {
        if (text == to_string(step)) {
            return step;
        }
    }
    throw std::runtime_error("a step of no known name");
}

json::array texts(const std::vector<std::string>& from) {
    json::array all;
    for (auto const& text : from) {
        all.emplace_back(text);
    }
    return all;
}

std::vector<std::string> texts(const json::value& from) {
    std::vector<std::string> all;
    for (auto const& text : from.as_array()) {
        all.emplace_back(text.as_string());
    }
    return all;
}

json::array changes(const std::vector<Change>& from) {
    json::array all;
    for (auto const& change : from) {
        all.push_back(json::object{
            {"where", word(change.where)}, {"name", change.name}, {"value", change.value}});
    }
    return all;
}

std::vector<Change> changes(const json::value& from) {
    std::vector<Change> all;
    for (auto const& value : from.as_array()) {
        auto const& o = value.as_object();
        all.push_back({where_of(o.at("where").as_string()),
                       std::string(o.at("name").as_string()),
                       std::string(o.at("value").as_string())});
    }
    return all;
}

json::array files(const std::vector<Saved>& from) {
    json::array all;
    for (auto const& saved : from) {
        all.push_back(json::object{{"path", saved.path},
                                   {"name", saved.name},
                                   {"mode", saved.mode},
                                   {"owner", saved.owner},
                                   {"group", saved.group},
                                   {"link", saved.link}});
    }
    return all;
}

std::vector<Saved> files(const json::value& from) {
    std::vector<Saved> all;
    for (auto const& value : from.as_array()) {
        auto const& o = value.as_object();
        all.push_back({std::string(o.at("path").as_string()),
                       std::string(o.at("name").as_string()),
                       o.at("mode").to_number<mode_t>(),
                       o.at("owner").to_number<uid_t>(),
                       o.at("group").to_number<gid_t>(),
                       o.contains("link") ? std::string(o.at("link").as_string()) : std::string()});
    }
    return all;
}

Record from_json(const json::object& o) {
    Record record;
    if (o.at("version").to_number<int>() != version) {
        throw std::runtime_error("it was written by another version of millrace");
    }
    record.mta = o.at("mta").as_string();
    record.folder = o.at("folder").as_string();
    record.step = step_of(o.at("step").as_string());
    record.scope.senders = texts(o.at("senders"));
    record.scope.domains = texts(o.at("domains"));
    record.since = o.at("since").as_string();
    record.files = files(o.at("files"));
    record.created = texts(o.at("created"));
    record.changes = changes(o.at("changes"));
    record.before = changes(o.at("before"));
    record.reload = o.at("reload").as_string();
    return record;
}

}  // namespace

std::string to_string(Record::Step step) {
    switch (step) {
        case Record::Step::enforcing:
            return "enforcing";
        case Record::Step::detached:
            return "detached";
        case Record::Step::listening:
            break;
    }
    return "listening";
}

std::string title(const Record& record) {
    return fmt::format(
        "{} of {}", record.mta == "sendmail" ? "Sendmail" : "Postfix", record.folder);
}

std::string record_folder(const std::string& configuration_file) {
    return std::filesystem::path(configuration_file).parent_path() / "attached";
}

Result<std::optional<Record>> read_record(const std::string& folder) {
    auto const file = folder + "/record.json";
    if (std::error_code error; !std::filesystem::exists(file, error)) {
        return std::optional<Record>();
    }
    auto const bytes = read_whole(file);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    try {
        return from_json(json::parse(*bytes).as_object());
    } catch (const std::exception& e) {
        return failure(
            Fault::corrupt,
            fmt::format(
                "{} cannot be read ({}): the mail server's files as they were are {}/*.before",
                file,
                e.what(),
                folder));
    }
}

Result<void> write_record(const std::string& folder, const Record& record) {
    json::object const o{{"version", version},
                         {"mta", record.mta},
                         {"folder", record.folder},
                         {"step", to_string(record.step)},
                         {"senders", texts(record.scope.senders)},
                         {"domains", texts(record.scope.domains)},
                         {"since", record.since},
                         {"files", files(record.files)},
                         {"created", texts(record.created)},
                         {"changes", changes(record.changes)},
                         {"before", changes(record.before)},
                         {"reload", record.reload}};
    return write_whole(
        folder + "/record.json", json::serialize(o) + "\n", 0600, ::geteuid(), ::getegid());
}

}  // namespace millrace::attach
