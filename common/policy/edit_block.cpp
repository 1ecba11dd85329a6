#include "common/policy/edit_block.hpp"

#include <algorithm>

#include "common/policy/edit_plan.hpp"

namespace millrace::policy {

namespace {

void write_field(std::string_view name,
                 std::string_view value,
                 std::string_view line_end,
                 std::string& out) {
    out += name;
    out += ':';
    for (const char c : value) {
        if (c == '\n') {
            out += line_end;
        } else {
            out += c;
        }
    }
    out += line_end;
}

// Where the From_ line of an mbox ends, if there is one: it cannot stand below a field.
std::size_t mbox_line_end(std::string_view message,
                          const mail::HeaderBlock& block,
                          std::string_view line_end) {
    const bool mbox = std::ranges::any_of(block.defects, [](const mail::HeaderDefect& defect) {
        return defect.kind == mail::HeaderDefect::Kind::mbox_line;
    });
    if (!mbox) return 0;
    const std::size_t end = message.find(line_end);
    return end == std::string_view::npos ? message.size() : end + line_end.size();
}

}  // namespace

std::string edit_block(std::string_view message,
                       const mail::HeaderBlock& block,
                       std::span<const Edit> edits,
                       mail::LineEnd line_end,
                       std::string_view trace) {
    const std::string_view end = mail::bytes_of(line_end);
    std::string out;
    const EditPlan plan = plan_edits(block.fields, edits);
    std::size_t added = 0;
    for (const Edit& edit : edits) {
        added += edit.name.size() + edit.value.size() + 16;
    }
    out.reserve(trace.size() + message.size() + added);
    out += trace;
    for (const Edit* edit : plan.top) {
        write_field(edit->name, edit->value, end, out);
    }
    std::size_t done = !plan.top.empty() || !trace.empty() ? mbox_line_end(message, block, end) : 0;
    for (std::size_t i = 0; i < block.fields.size(); ++i) {
        const Edit* edit = plan.fields[i];
        if (edit == nullptr) continue;
        const mail::Extent extent = block.extents[i];
        out += message.substr(done, extent.offset - done);
        if (edit->kind == Edit::Kind::replace) {
            write_field(block.fields[i].name, edit->value, end, out);
        }
        done = extent.offset + extent.size;
    }
    if (done < block.fields_end) out += message.substr(done, block.fields_end - done);
    done = std::max(done, block.fields_end);
    if (!plan.append.empty() && !out.empty() && !out.ends_with(end)) out += end;
    for (const Edit* edit : plan.append) {
        write_field(edit->name, edit->value, end, out);
    }
    const std::string_view rest = message.substr(done);
    // A body that no empty line divides from the header must not turn into header: behind our
    // fields its leading blank would read as a fold, at the very top its `From ` as an mbox line.
    if (!block.separator) {
        const bool fold = !out.empty() && (rest.starts_with(' ') || rest.starts_with('\t'));
        const bool mbox = out.empty() && rest.starts_with("From ");
        if (fold || mbox) out += end;
    }
    out += rest;
    return out;
}

}  // namespace millrace::policy
