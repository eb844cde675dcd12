  // {{ about }}
{{ weights.rom.declaration }}  wire [{{ weights.width - 1 }}:0] weights;
  wire weights_next;
{%- if weights.rom.width == 0 %}
  assign weights = {% if let Some(wiring) = weights.wiring %}{{ wiring }}{% endif %};
  wire unused_weights = weights_next;
{%- else if weights.block || weights.rom.depth == 1 %}
  netfold_sequence_rom #(
      {{ weights.rom.parameters }},
      .BLOCK({% if weights.block %}1{% else %}0{% endif %})
  ) u_weights (
      .clk(clk),
      .rst(rst),
      .next(weights_next),
      .data(weights)
  );
{%- else %}
{%- if let Some(wiring) = weights.wiring %}
  // Without the columns that are constant or repeat another one.
  wire [{{ weights.rom.width - 1 }}:0] columns;
  assign weights = {{ wiring }};
{%- endif %}
{%- match weights.blocks %}
{%- when Some with (module) %}
  (* keep_hierarchy = "yes" *)
  {{ module }} u_weights (
{%- when None %}
  netfold_weight_rom #(
      {{ weights.rom.parameters }}
  ) u_weights (
{%- endmatch %}
      .clk(clk),
      .rst(rst),
      .next(weights_next),
      .data({% if weights.wiring.is_some() %}columns{% else %}weights{% endif %})
  );
{%- endif %}
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
{%- if pixels > 1 %}
  // A unit a vector; all of them keep step and share the weights.
  localparam int PIXELS = {{ pixels }};
  wire [PIXELS-1:0] take, reserve, put, next_weights, next_start;
  generate
    for (genvar p = 0; p < PIXELS; p = p + 1) begin : g_pixel
      {{ primitive }} #(
{%- for (key, value) in parameters %}
          .{{ key }}({{ value }}){% if !loop.last %},{% endif %}
{%- endfor %}
      ) u_{{ short }} (
          .clk(clk),
          .rst(rst),
          .in_valid(in0_valid),
          .in_take(take[p]),
          .in_data(in0_data[p*{{ in_width }}+:{{ in_width }}]),
          .out_space(out0_space),
          .out_reserve(reserve[p]),
          .out_put(put[p]),
          .out_data(out0_data[p*{{ out_width }}+:{{ out_width }}]),
          .weights(weights),
          .weights_next(next_weights[p]),
          .start(start),
          .start_next(next_start[p])
      );
    end
  endgenerate
  assign in0_take = take[0];
  assign out0_reserve = reserve[0];
  assign out0_put = put[0];
  assign weights_next = next_weights[0];
  assign start_next = next_start[0];
  wire unused_pixels = &{1'b0, take, reserve, put, next_weights, next_start};
{%- else %}
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
{%- endif %}
