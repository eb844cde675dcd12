  // {{ about }}
{{ weights.declaration }}  wire [{{ weights.width - 1 }}:0] weights;
  wire weights_next;
  netfold_sequence_rom #(
      {{ weights.parameters }},
      .BLOCK({{ block }})
  ) u_weights (
      .clk(clk),
      .rst(rst),
      .next(weights_next),
      .data(weights)
  );
  wire start_next;
  wire [{{ start_width - 1 }}:0] start;
{%- match start %}
{%- when Some with (rom) %}
  // Start values of the accumulators (see netfold_dot).
{{ rom.declaration }}  netfold_sequence_rom #(
      {{ rom.parameters }}
  ) u_start (
      .clk(clk),
      .rst(rst),
      .next(start_next),
      .data(start)
  );
{%- when None %}
  assign start = '0;
  wire unused = start_next;
{%- endmatch %}
  {{ primitive }} #(
{%- for (key, value) in parameters %}
      .{{ key }}({{ value }}){% if !loop.last %},{% endif %}
{%- endfor %}
  ) u_{{ short }} (
      .clk(clk),
      .rst(rst),
      .in_valid(in0_valid),
      .in_take(in0_take),
      .in_data(in0_data),
      .out_space(out0_space),
      .out_reserve(out0_reserve),
      .out_put(out0_put),
      .out_data(out0_data),
      .weights(weights),
      .weights_next(weights_next),
      .start(start),
      .start_next(start_next)
  );
