{%- if let Some(pad) = pad %}
  // Padding.
{{ pad.declaration }}  wire [{{ pad.width - 1 }}:0] pad;
  wire pad_next;
  netfold_sequence_rom #(
      {{ pad.parameters }}
  ) u_padding (
      .clk(clk),
      .rst(rst),
      .next(pad_next),
      .data(pad)
  );
{%- endif %}
{%- if result_bits != 0 %}
  wire [{{ lanes * result_bits - 1 }}:0] result;
{%- endif %}
  {{ primitive }} #(
{%- for (key, value) in parameters %}
      .{{ key }}({{ value }}){% if !loop.last %},{% endif %}
{%- endfor %}
  ) u_{{ short }} (
      .clk(clk),
      .rst(rst),
      .in_valid(in0_valid),
      .in_take(in0_take),
{%- if passes_data %}
      .in_data(in0_data),
      .out_data({% if result_bits != 0 %}result{% else %}out0_data{% endif %}),
{%- endif %}
{%- if pad.is_some() %}
      .pad(pad),
      .pad_next(pad_next),
{%- endif %}
      .out_space(out0_space),
      .out_reserve(out0_reserve),
      .out_put(out0_put)
  );
{{ tail }}
